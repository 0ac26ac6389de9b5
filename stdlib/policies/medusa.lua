-- Medusa, before amounts were taken per unit: an amount for each goes once off each line, and what came off before counts against
-- the same units.
return {
  each = "line",
  earlier = "same_units",
  units = "once",
  order = "priority",
  code_case = "exact",
}
