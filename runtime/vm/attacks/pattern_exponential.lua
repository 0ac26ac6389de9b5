-- ten letters, more ways than atoms
return string.find(string.rep('a', 40), string.rep('a?', 40) .. string.rep('a', 40))
