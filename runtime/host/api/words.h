/* host/api/words.h - sentences for people, by language: the files of stdlib/locale as they were compiled in. Read once, then shared by all
 * threads. */
#pragma once
#include "quote/quote.h"

struct words;
int words_open(struct words **out, struct err *err);
void words_close(struct words *w); /* NULL is fine */
/* A language by its name ("zh-CN", "EN", "en-GB": what is nearest); NULL when there is none. */
const struct quote_words *words_of(const struct words *w, struct slice language);
/* What a client would rather read, of an Accept-Language header; NULL when it names none that there is. */
const struct quote_words *words_accepted(const struct words *w, struct slice header);
