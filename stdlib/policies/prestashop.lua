-- PrestaShop: rules take their turns by priority, each of what is left.
return {
  each = "unit",
  order = "priority",
}
