/* Splits by largest remainder exactly as money_allocate does, with the scratch that a run already has: no memory is asked
 * for, and the cost per line stays about the same for large carts. */
#include "quote/run_int.h"

enum { FEW = 24 };

/* Each of the `left` largest remainders gets one unit more, the earliest of equals first. */
static void award_by_scan(int64_t *rests, size_t n, int64_t left, int64_t *out)
{
    for (; left > 0; left--) {
        size_t best = 0;
        for (size_t i = 1; i < n; i++)
            if (rests[i] > rests[best])
                best = i;
        rests[best] = -1;
        out[best]++;
    }
}

static bool comes_first(const void *rests, uint32_t a, uint32_t b)
{
    const int64_t *r = rests;
    return r[a] != r[b] ? r[a] > r[b] : a < b;
}

static void award_by_heap(const int64_t *rests, uint32_t *heap, size_t n, int64_t left, int64_t *out)
{
    for (uint32_t i = 0; i < n; i++)
        heap[i] = i;
    heap_make(heap, n, comes_first, rests);
    for (; left > 0; left--)
        out[heap_take(heap, &n, comes_first, rests)]++;
}

int allocate(const struct split_scratch *scratch, int64_t total, const int64_t *weights, size_t n, int64_t *out, struct err *err)
{
    int64_t sum = 0, product;
    for (size_t i = 0; i < n; i++)
        if (weights[i] < 0 || __builtin_add_overflow(sum, weights[i], &sum))
            return money_allocate(total, weights, n, out, err);
    if (sum == 0 || total < 0 || total > sum) /* not what a discount does: the general way */
        return money_allocate(total, weights, n, out, err);

    /* No weight is above the sum, so no product is above this one. */
    bool fits = !__builtin_mul_overflow(total, sum, &product);
    int64_t *rests = scratch->rests, left = total;
    for (size_t i = 0; i < n; i++) {
        if (fits) {
            product = total * weights[i];
            out[i] = product / sum;
            rests[i] = product % sum;
        } else {
            __int128 wide = (__int128)total * weights[i];
            out[i] = (int64_t)(wide / sum);
            rests[i] = (int64_t)(wide - (__int128)out[i] * sum);
        }
        left -= out[i];
    }
    /* left < n, and more than `left` remainders are not zero */
    if (n <= FEW)
        award_by_scan(rests, n, left, out);
    else
        award_by_heap(rests, scratch->order, n, left, out);
    return 0;
}
