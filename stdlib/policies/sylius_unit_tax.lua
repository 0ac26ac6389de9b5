-- Sylius where tax is rounded per unit.
return {
  like = "sylius",
  tax_round = "unit",
}
