-- Solidus: of the promotions of a lane each line gets the best one; what is left of rounded shares goes to the first lines.
return {
  each = "line",
  lanes = "best_per_line",
  remainder = "first_lines",
}
