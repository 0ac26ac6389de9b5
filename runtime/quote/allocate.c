/* Splits by largest remainder exactly as money_allocate does. It works in 64 bits where every product fits, which is every
 * cart of this world; anything else goes to money_allocate. */
#include "quote/run_int.h"

enum { FEW = 128 };

int allocate(int64_t total, const int64_t *weights, size_t n, int64_t *out, struct err *err)
{
    int64_t sum = 0, product;
    for (size_t i = 0; i < n; i++)
        if (weights[i] < 0 || __builtin_add_overflow(sum, weights[i], &sum))
            return money_allocate(total, weights, n, out, err);
    /* No weight is above the sum, so no product is above this one. */
    if (n > FEW || sum == 0 || total < 0 || __builtin_mul_overflow(total, sum, &product))
        return money_allocate(total, weights, n, out, err);

    int64_t rests[FEW], left = total;
    for (size_t i = 0; i < n; i++) {
        int64_t scaled = total * weights[i];
        out[i] = scaled / sum;
        rests[i] = scaled % sum;
        left -= out[i];
    }
    for (; left > 0; left--) { /* fewer than n times, and more than `left` remainders are not zero */
        size_t best = 0;
        for (size_t i = 1; i < n; i++)
            if (rests[i] > rests[best])
                best = i;
        rests[best] = -1;
        out[best]++;
    }
    return 0;
}
