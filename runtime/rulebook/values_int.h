/* rulebook/values_int.h - shared by values.c and values_settle.c. */
#pragma once
#include "rulebook/values.h"

enum {
    MONEY_EXPONENT_ANY = 4, /* no currency has more digits: for looking at the form before the shop is known */
    VALUE_STRING_MAX = 10000,
    VALUE_STRING_DEFAULT = 1000,
    VALUE_LIST_MAX = 1000,
    VALUE_LIST_DEFAULT = 100,
};

/* MONEY, PERCENT, DURATION, TIME as written -> the integer that stands for it. */
int value_scalar(const struct settle *s, const struct place *at, enum value_type type, const struct json_value *v, int64_t *out);
int value_settle(const struct settle *s, const struct place *at, const struct value_spec *spec, const struct json_value *v,
                 struct json_writer *w);
