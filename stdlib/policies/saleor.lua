-- Saleor: percentages are rounded per unit; of the shares of an order discount the last line gets what is left; of promotions that
-- compete one applies.
return {
  each = "unit",
  round = "unit",
  remainder = "last_line",
  share_rounding = "half_away",
  stacking = "best",
  prices = "best_per_line",
  code_case = "exact",
}
