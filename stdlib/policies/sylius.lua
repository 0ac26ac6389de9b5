-- Sylius: percentages of units are of the original price; shares are rounded to the nearest, halves down, and what is left of them
-- goes to the first lines.
return {
  each = "unit",
  percent_base = "list",
  round = "unit",
  order = "priority",
  remainder = "first_lines",
  share_rounding = "half_down",
  code_case = "exact",
}
