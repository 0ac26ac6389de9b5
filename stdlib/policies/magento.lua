-- Magento: the error of a rounded share is carried to the next line.
return {
  each = "unit",
  order = "priority",
  remainder = "carry",
}
