-- Medusa: an amount for each goes off each unit; a unit that one promotion counted stands for no other.
return {
  each = "unit",
  earlier = "same_units",
  units = "once",
  order = "priority",
  code_case = "exact",
}
