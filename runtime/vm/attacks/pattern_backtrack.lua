-- four lazy repetitions
return string.match(string.rep('x', 30000), '.-.-.-.-.-y')
