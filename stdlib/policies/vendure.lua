-- Vendure: percentages of lines are of the price before promotions, and are rounded per unit, halves of a cent against the
-- discount.
return {
  each = "line",
  percent_base = "list",
  round = "unit",
  rounding = "half_down",
  code_case = "exact",
}
