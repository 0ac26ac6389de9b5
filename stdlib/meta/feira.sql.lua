---@meta feira.sql
-- Prepared statements, for files of the standard library only. Values are integers, strings, booleans (0 or 1) and nil, as many as
-- the statement has parameters.

---@class feira.sql.Statement
local Statement = {}

---Procedures only.
---@param ... integer|string|boolean|nil
---@return integer changed_rows
function Statement:run(...) end

---For an INSERT of one row into a table with an integer key. Procedures only.
---@param ... integer|string|boolean|nil
---@return integer key of the row
function Statement:insert(...) end

---@param ... integer|string|boolean|nil
---@return table<string, integer|string>|nil first row, by column
function Statement:row(...) end

---@param ... integer|string|boolean|nil
---@return table<string, integer|string>[] at most 100,000; page through more
function Statement:rows(...) end

---@param ... integer|string|boolean|nil
---@return integer|string|nil ... the columns of the first row; nothing when there is none
function Statement:values(...) end

local sql = {}

---@param text string exactly one SQL command
---@return feira.sql.Statement
function sql.statement(text) end

return sql
