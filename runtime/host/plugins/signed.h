/* host/plugins/signed.h - routes of plugins with auth = "signed": what a payment provider or another system sends of its own accord. It has
 * no key of the shop; who it is shows a signature, which the plugin checks. So its function gets the body as it came, byte for byte, and
 * the headers. */
#pragma once
#include "host/api/call.h"

/* Adds `body` (text) and `headers` (names in small letters) behind *last. A key of the shop's own that stands in Authorization is left
 * out: it is not for plugins. */
int signed_args(const struct call *c, struct json_value *args, struct json_value *last, struct err *err);
/* As call_answer(); a body that is text goes out as text/plain: some want one word, and no JSON. */
void signed_answer(struct call *c);
