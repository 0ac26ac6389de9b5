-- modules that are not there, and paths
while true do pcall(require, "../../../etc/passwd") pcall(require, ("x"):rep(100000)) end
