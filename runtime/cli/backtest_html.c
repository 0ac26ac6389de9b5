#include "cli/backtest_html.h"
#include "cli/cli.h"
#include <stdlib.h>

enum {
    PLOT_WIDTH = 920,
    PLOT_HEIGHT = 220,
    LEFT = 86,
    BOTTOM = 26,
    TOP = 10,
    TICKS = 4,
    SHOWN_CAMPAIGNS = 30,
    SHOWN_KINDS = 30,
    SHOWN_WHY = 6
};

struct page {
    struct buf *out;
    int exponent;
    char currency[8];
};

const char *backtest_money(int64_t minor, int exponent, bool is_change, char out[48])
{
    char digits[32];
    uint64_t n = minor < 0 ? 0 - (uint64_t)minor : (uint64_t)minor;
    int len = snprintf(digits, sizeof digits, "%0*llu", exponent + 1, (unsigned long long)n), whole = len - exponent;
    char *at = out;
    if (minor < 0)
        *at++ = '-';
    else if (is_change && minor > 0)
        *at++ = '+';
    for (int i = 0; i < whole; i++) {
        if (i && (whole - i) % 3 == 0)
            *at++ = ',';
        *at++ = digits[i];
    }
    if (exponent) {
        *at++ = '.';
        memcpy(at, digits + whole, (size_t)exponent);
        at += exponent;
    }
    *at = '\0';
    return out;
}

bool backtest_limit_is_money(struct slice limit)
{
    return limit.len >= 6 && memcmp(limit.data, "budget", 6) == 0;
}

/* --- text ---------------------------------------------------------------------------------------------------------------------- */

static void raw(const struct page *p, const char *text)
{
    buf_add_str(p->out, text);
}

static void text(const struct page *p, struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] == '<')
            raw(p, "&lt;");
        else if (s.data[i] == '>')
            raw(p, "&gt;");
        else if (s.data[i] == '&')
            raw(p, "&amp;");
        else if (s.data[i] == '"')
            raw(p, "&quot;");
        else
            buf_add_char(p->out, s.data[i]);
    }
}

static void amount(const struct page *p, int64_t minor)
{
    char number[48];
    raw(p, backtest_money(minor, p->exponent, false, number));
}

static void change(const struct page *p, int64_t minor)
{
    char number[48];
    buf_printf(p->out, "<span class=\"%s\">%s</span>",
               minor < 0   ? "down"
               : minor > 0 ? "up"
                           : "same",
               backtest_money(minor, p->exponent, true, number));
}

/* Tenths of a percent, in whole numbers. */
static void share(const struct page *p, int64_t part, int64_t of)
{
    if (of <= 0)
        return;
    int64_t tenths = (part * 2000 + (part < 0 ? -of : of)) / (2 * of), n = tenths < 0 ? -tenths : tenths;
    buf_printf(p->out, " <small>%s%lld.%lld %%</small>", tenths < 0 ? "-" : "+", (long long)(n / 10), (long long)(n % 10));
}

static int64_t was(const struct json_value *of, const char *key)
{
    return cli_number(json_get(of, key), "was");
}

static int64_t now(const struct json_value *of, const char *key)
{
    return cli_number(json_get(of, key), "now");
}

/* --- plots: a line as it was, a line as it would have been ----------------------------------------------------------------------- */

struct series {
    const char *class, *title;
    int64_t *values;
};

struct plot {
    const struct json_value *days;
    size_t count;
    int64_t top, bottom; /* of the axis; bottom <= 0 */
    const struct series *list;
    size_t series;
    bool is_money;
};

static int64_t nice_step(int64_t range)
{
    int64_t step = 1;
    while (step * TICKS < range)
        step = step * TICKS < range && step * 2 * TICKS >= range ? step * 2 : step * 5 * TICKS >= range ? step * 5 : step * 10;
    return step;
}

static void fit(struct plot *p)
{
    p->top = p->bottom = 0;
    for (size_t s = 0; s < p->series; s++) {
        for (size_t i = 0; i < p->count; i++) {
            int64_t v = p->list[s].values[i];
            p->top = v > p->top ? v : p->top;
            p->bottom = v < p->bottom ? v : p->bottom;
        }
    }
    int64_t step = nice_step(p->top - p->bottom > 0 ? p->top - p->bottom : 1);
    p->top = (p->top + step - 1) / step * step;
    p->bottom = -((-p->bottom + step - 1) / step * step);
    if (p->top == p->bottom)
        p->top += step;
}

/* In tenths of a pixel. */
static int64_t x_of(const struct plot *p, size_t i)
{
    return 10 * LEFT + (p->count > 1 ? (int64_t)i * 10 * (PLOT_WIDTH - LEFT - 10) / (int64_t)(p->count - 1) : 10 * (PLOT_WIDTH - LEFT) / 2);
}

static int64_t y_of(const struct plot *p, int64_t v)
{
    int64_t height = 10 * (PLOT_HEIGHT - TOP - BOTTOM), range = p->top - p->bottom;
    return 10 * TOP + (int64_t)((__int128)(p->top - v) * height / range);
}

static void point(const struct page *page, const char *before, int64_t tenths)
{
    buf_printf(page->out, "%s%lld.%lld", before, (long long)(tenths / 10), (long long)(tenths % 10));
}

static void axis(const struct page *page, const struct plot *p)
{
    int64_t step = nice_step(p->top - p->bottom);
    for (int64_t v = p->bottom; v <= p->top; v += step) {
        char number[48];
        int64_t y = y_of(p, v);
        buf_printf(page->out, "<line class=\"%s\" x1=\"%d\" x2=\"%d\"", v ? "grid" : "zero", LEFT, PLOT_WIDTH - 10);
        point(page, " y1=\"", y);
        point(page, "\" y2=\"", y);
        buf_printf(page->out, "\"/><text class=\"y\" x=\"%d\"", LEFT - 8);
        point(page, " y=\"", y + 40);
        buf_printf(page->out, "\">%s</text>", backtest_money(v, p->is_money ? page->exponent : 0, false, number));
    }
    size_t labels = p->count < 8 ? p->count : 8;
    for (size_t k = 0; k < labels; k++) {
        size_t i = labels > 1 ? k * (p->count - 1) / (labels - 1) : 0, n = i;
        const struct json_value *day = p->days->first;
        while (n-- > 0)
            day = day->next;
        buf_printf(page->out, "<text class=\"x%s\" y=\"%d\"", labels > 1 && k + 1 == labels ? " last" : "", PLOT_HEIGHT - 8);
        point(page, " x=\"", x_of(p, i));
        raw(page, "\">");
        text(page, cli_text(day, "day"));
        raw(page, "</text>");
    }
}

static void line(const struct page *page, const struct plot *p, const struct series *s)
{
    if (p->count == 1) {
        buf_printf(page->out, "<circle class=\"%s\" r=\"4\"", s->class);
        point(page, " cx=\"", x_of(p, 0));
        point(page, "\" cy=\"", y_of(p, s->values[0]));
        raw(page, "\"/>");
        return;
    }
    buf_printf(page->out, "<polyline class=\"%s\" points=\"", s->class);
    for (size_t i = 0; i < p->count; i++) {
        point(page, i ? " " : "", x_of(p, i));
        point(page, ",", y_of(p, s->values[i]));
    }
    raw(page, "\"/>");
}

static void draw(const struct page *page, struct plot *p, const char *title)
{
    if (p->count == 0)
        return;
    fit(p);
    buf_printf(page->out, "<figure><figcaption>%s", title);
    for (size_t s = 0; s < p->series; s++)
        buf_printf(page->out, " <span class=\"key %s\"></span>%s", p->list[s].class, p->list[s].title);
    buf_printf(page->out, "</figcaption><svg viewBox=\"0 0 %d %d\" role=\"img\">", PLOT_WIDTH, PLOT_HEIGHT);
    axis(page, p);
    for (size_t s = 0; s < p->series; s++)
        line(page, p, &p->list[s]);
    raw(page, "</svg></figure>\n");
}

static void draw_pair(const struct page *page, const struct json_value *days, const char *key, const char *title)
{
    size_t n = days ? days->count : 0, i = 0;
    int64_t *before = calloc(n + 1, sizeof *before), *after = calloc(n + 1, sizeof *after);
    if (!before || !after) {
        page->out->failed = true;
    } else {
        for (const struct json_value *d = days ? days->first : NULL; d; d = d->next, i++) {
            before[i] = was(d, key);
            after[i] = now(d, key);
        }
        const struct series list[] = { { "was", "as it was", before }, { "now", "candidate", after } };
        draw(page, &(struct plot){ .days = days, .count = n, .list = list, .series = 2, .is_money = true }, title);
    }
    free(before);
    free(after);
}

/* What is used up in all until each day. */
static void draw_burn(const struct page *page, const struct json_value *limit)
{
    const struct json_value *days = json_get(limit, "by_day");
    size_t n = days ? days->count : 0, i = 0;
    int64_t *used = calloc(n + 1, sizeof *used), *max = calloc(n + 1, sizeof *max), sum = 0;
    if (!used || !max) {
        page->out->failed = true;
    } else {
        for (const struct json_value *d = days ? days->first : NULL; d; d = d->next, i++) {
            used[i] = sum += cli_number(d, "used");
            max[i] = cli_number(limit, "max");
        }
        const struct series list[] = { { "now", "used", used }, { "bound", "limit", max } };
        draw(page,
             &(struct plot){
                 .days = days, .count = n, .list = list, .series = 2, .is_money = backtest_limit_is_money(cli_text(limit, "limit")) },
             "How it is used up");
    }
    free(used);
    free(max);
}

/* --- parts ------------------------------------------------------------------------------------------------------------------------ */

static const char style[] =
    "body{font:15px/1.5 system-ui,sans-serif;color:#1c2430;max-width:960px;margin:32px auto;padding:0 20px}h1{font-size:26px;margin:0}"
    "h2{font-size:18px;margin:36px 0 8px;border-bottom:1px solid #d7dde5;padding-bottom:4px}p.lead{color:#556}"
    ".cards{display:flex;flex-wrap:wrap;gap:12px;margin:20px 0}.card{flex:1 1 190px;border:1px solid "
    "#d7dde5;border-radius:8px;padding:12px 16px}"
    ".card b{display:block;font-size:22px}.card small{color:#667}.card .title{color:#667;font-size:13px}"
    "table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}th{text-align:right;font-weight:600;color:#556;font-size:"
    "13px}"
    "th:first-child,td:first-child{text-align:left}td{text-align:right;padding:4px 8px;border-top:1px solid #eef1f5}th{padding:4px 8px}"
    "td small{color:#889}.up{color:#0b7a43}.down{color:#b3261e}.same{color:#889}figure{margin:16px 0}figcaption{font-size:13px;color:#556}"
    "svg{width:100%;height:auto}polyline{fill:none;stroke-width:1.8}.was{stroke:#8a97a8}circle.was{fill:#8a97a8}.now{stroke:#1f6feb}circle."
    "now{fill:#1f6feb}"
    ".bound{stroke:#b3261e;stroke-dasharray:5 4}.grid{stroke:#eef1f5}.zero{stroke:#b8c2cf}svg "
    "text{font-size:11px;fill:#667}text.y{text-anchor:end}"
    "text.x{text-anchor:middle}text.last{text-anchor:end}.key{display:inline-block;width:18px;height:0;border-top:3px solid;margin:0 4px "
    "3px "
    "14px}.key.was{border-color:#8a97a8}"
    ".key.now{border-color:#1f6feb}.key.bound{border-color:#b3261e}details{border-top:1px solid #eef1f5;padding:6px "
    "0}summary{cursor:pointer;"
    "font-variant-numeric:tabular-nums}details ul{margin:6px 0;color:#445;font-size:14px}ul.doubts li{margin:4px 0}code{font-size:13px}"
    ".warn{background:#fff4e5;border-left:4px solid #d98200;padding:8px 14px}footer{margin:40px 0;color:#889;font-size:13px}"
    "@media print{details{page-break-inside:avoid}}";

static void card(const struct page *p, const char *title, int64_t before, int64_t after)
{
    buf_printf(p->out, "<div class=\"card\"><span class=\"title\">%s</span><b>", title);
    change(p, after - before);
    raw(p, "</b>");
    share(p, after - before, before);
    raw(p, "<br><small>");
    amount(p, before);
    raw(p, " &rarr; ");
    amount(p, after);
    raw(p, "</small></div>\n");
}

static void summary(const struct page *p, const struct json_value *v)
{
    const struct json_value *t = json_get(v, "total"), *n = json_get(v, "not_placed");
    long long refused = cli_number(n, "gate"), failed = cli_number(n, "failed");
    buf_printf(
        p->out,
        "<div class=\"cards\"><div class=\"card\"><span class=\"title\">Orders that change</span><b>%lld</b><small>of %lld</small></div>\n",
        (long long)cli_number(t, "touched"), (long long)cli_number(t, "orders"));
    card(p, "Revenue", was(t, "revenue"), now(t, "revenue"));
    card(p, "Discounts", was(t, "discount"), now(t, "discount"));
    if (json_get(t, "margin"))
        card(p, "Margin, where costs are known", was(t, "margin"), now(t, "margin"));
    raw(p, "</div>\n");
    if (refused + failed == 0)
        return;
    buf_printf(p->out,
               "<p class=\"warn\">%lld orders could not have been placed: %lld would be refused, of %lld a rule fails. They brought ",
               refused + failed, refused, failed);
    amount(p, cli_number(n, "revenue_was"));
    raw(p, ", which stands in neither column.</p>\n");
}

static void campaigns(const struct page *p, const struct json_value *list)
{
    int left = SHOWN_CAMPAIGNS;
    raw(p, "<h2>By campaign</h2><table><tr><th>Campaign</th><th>Orders was</th><th>now</th><th>Took off "
           "was</th><th>now</th><th>Difference</th></tr>\n");
    for (const struct json_value *c = list ? list->first : NULL; c && left-- > 0; c = c->next) {
        raw(p, "<tr><td>");
        text(p, cli_text(c, "title"));
        raw(p, " <small>");
        text(p, cli_text(c, "id"));
        buf_printf(p->out, "</small></td><td>%lld</td><td>%lld</td><td>", (long long)was(c, "orders"), (long long)now(c, "orders"));
        amount(p, was(c, "amount"));
        raw(p, "</td><td>");
        amount(p, now(c, "amount"));
        raw(p, "</td><td>");
        change(p, now(c, "amount") - was(c, "amount"));
        raw(p, "</td></tr>\n");
    }
    raw(p, "</table>\n");
    if (list && list->count > SHOWN_CAMPAIGNS)
        buf_printf(p->out, "<p><small>%u more change less; --json has them.</small></p>\n", list->count - SHOWN_CAMPAIGNS);
}

static void customers(const struct page *p, const struct json_value *list)
{
    int left = SHOWN_KINDS;
    raw(p, "<h2>By kind of customer</h2><table><tr><th>Customers</th><th>Orders</th><th>Changed</th><th>Revenue "
           "was</th><th>now</th><th>Difference</th></tr>\n");
    for (const struct json_value *c = list ? list->first : NULL; c && left-- > 0; c = c->next) {
        raw(p, "<tr><td>");
        text(p, cli_text(c, "kind"));
        buf_printf(p->out, "</td><td>%lld</td><td>%lld</td><td>", (long long)cli_number(c, "orders"), (long long)cli_number(c, "touched"));
        amount(p, was(c, "revenue"));
        raw(p, "</td><td>");
        amount(p, now(c, "revenue"));
        raw(p, "</td><td>");
        change(p, now(c, "revenue") - was(c, "revenue"));
        raw(p, "</td></tr>\n");
    }
    raw(p, "</table>\n<p><small>A customer is of several kinds: a tag, a tier.</small></p>\n");
}

static void limits(const struct page *p, const struct json_value *list)
{
    if (!list || list->count == 0)
        return;
    raw(p, "<h2>Budgets and limits</h2>\n");
    for (const struct json_value *l = list->first; l; l = l->next) {
        int exponent = backtest_limit_is_money(cli_text(l, "limit")) ? p->exponent : 0;
        char used[48], max[48];
        struct slice at = cli_text(l, "spent_at");
        raw(p, "<p><b>");
        text(p, cli_text(l, "campaign"));
        raw(p, "</b>, ");
        text(p, cli_text(l, "limit"));
        if (cli_number(l, "periods") > 1) {
            buf_printf(p->out, ": %s in all; %lld of %lld periods used up, %s each</p>\n",
                       backtest_money(cli_number(l, "used"), exponent, false, used), (long long)cli_number(l, "spent"),
                       (long long)cli_number(l, "periods"), backtest_money(cli_number(l, "max"), exponent, false, max));
            continue;
        }
        buf_printf(p->out, ": %s of %s used", backtest_money(cli_number(l, "used"), exponent, false, used),
                   backtest_money(cli_number(l, "max"), exponent, false, max));
        if (at.len) {
            raw(p, "; <span class=\"down\">used up at ");
            text(p, at);
            raw(p, "</span>");
        }
        raw(p, "</p>\n");
        draw_burn(p, l);
    }
}

static void why(const struct page *p, const struct json_value *campaign)
{
    bool applied = false;
    struct slice sentence = cli_text(json_get(campaign, "reason"), "text");
    json_is_bool(json_get(campaign, "applied"), &applied);
    raw(p, "<li><b>");
    text(p, cli_text(campaign, "title"));
    raw(p, "</b>: ");
    if (applied) {
        raw(p, "takes off ");
        amount(p, cli_number(campaign, "amount"));
    } else {
        text(p, sentence.len ? sentence : cli_text(json_get(campaign, "reason"), "code"));
    }
    raw(p, "</li>\n");
}

/* It has nothing to do with this order, or it is not its time: nobody asks. */
static bool is_far(const struct json_value *campaign)
{
    static const char *const far[] = { "no_lines", "not_in_cart", "not_yet", "over" };
    struct slice code = cli_text(json_get(campaign, "reason"), "code");
    for (size_t i = 0; i < sizeof far / sizeof *far; i++)
        if (slice_is(code, far[i]))
            return true;
    return false;
}

static void explained(const struct page *p, const struct json_value *o)
{
    const struct json_value *before = json_get(o, "campaigns_was"), *after = json_get(json_get(o, "quote"), "campaigns");
    raw(p, "<ul>");
    for (const struct json_value *c = before && before->type == JSON_ARRAY ? before->first : NULL; c; c = c->next) {
        raw(p, "<li><small>as it was:</small> ");
        text(p, cli_text(c, "title"));
        raw(p, " took off ");
        amount(p, cli_number(c, "amount"));
        raw(p, "</li>\n");
    }
    int left = SHOWN_WHY;
    for (int wanted = 1; wanted >= 0; wanted--) {
        for (const struct json_value *c = after ? after->first : NULL; c; c = c->next) {
            bool applied = false;
            json_is_bool(json_get(c, "applied"), &applied);
            if (applied == (wanted == 1) && !is_far(c) && (applied || left-- > 0))
                why(p, c);
        }
    }
    raw(p, "</ul>");
}

static void changed(const struct page *p, const struct json_value *list)
{
    if (!list || list->count == 0)
        return;
    raw(p, "<h2>The orders that change most</h2>\n");
    for (const struct json_value *o = list->first; o; o = o->next) {
        raw(p, "<details><summary>");
        change(p, cli_number(o, "now") - cli_number(o, "was"));
        raw(p, " &nbsp; ");
        amount(p, cli_number(o, "was"));
        raw(p, " &rarr; ");
        amount(p, cli_number(o, "now"));
        raw(p, " &nbsp; <small><code>");
        text(p, cli_text(o, "order"));
        raw(p, "</code> of ");
        text(p, cli_text(o, "placed_at"));
        raw(p, "</small></summary>");
        explained(p, o);
        raw(p, "</details>\n");
    }
}

static void doubts(const struct page *p, const struct json_value *v)
{
    const struct json_value *list = json_get(v, "cannot_know");
    raw(p, "<h2>What this can't know</h2><ul class=\"doubts\">\n");
    for (const struct json_value *d = list ? list->first : NULL; d; d = d->next) {
        raw(p, "<li>");
        text(p, cli_text(d, "text"));
        raw(p, "</li>\n");
    }
    if (cli_number(v, "damaged"))
        buf_printf(p->out, "<li>%lld orders have no evidence that can be read, and are left out.</li>\n",
                   (long long)cli_number(v, "damaged"));
    if (cli_number(v, "ended"))
        buf_printf(p->out, "<li>%lld orders were cancelled or expired, and are left out.</li>\n", (long long)cli_number(v, "ended"));
    raw(p, "</ul>\n");
}

static void head(const struct page *p, const struct json_value *v, const char *candidate)
{
    const struct json_value *days = json_get(v, "by_day"), *last = days ? days->first : NULL;
    raw(p, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
           "content=\"width=device-width\">\n<title>Backtest: ");
    text(p, slice_str(candidate));
    buf_printf(p->out, "</title>\n<style>%s</style></head><body>\n<h1>What if: ", style);
    text(p, slice_str(candidate));
    raw(p, "</h1>\n<p class=\"lead\">");
    text(p, cli_text(v, "shop"));
    raw(p, ". The orders that were really placed, priced once more as if this had been live");
    if (last) {
        raw(p, ", from ");
        text(p, cli_text(last, "day"));
        while (last->next)
            last = last->next;
        raw(p, " to ");
        text(p, cli_text(last, "day"));
    }
    buf_printf(p->out, ". Amounts in %s. Nothing is live, nobody was charged.</p>\n", p->currency);
}

void backtest_html(const struct json_value *v, const char *candidate, struct buf *out)
{
    struct page p = { .out = out, .exponent = (int)cli_number(v, "exponent") };
    snprintf(p.currency, sizeof p.currency, "%.*s", SLICE_FMT(cli_text(v, "currency")));
    const char *slash = candidate ? strrchr(candidate, '/') : NULL;
    head(&p, v, slash && slash[1] ? slash + 1 : candidate ? candidate : "");
    summary(&p, v);
    raw(&p, "<h2>By day</h2>\n");
    draw_pair(&p, json_get(v, "by_day"), "revenue", "Revenue");
    draw_pair(&p, json_get(v, "by_day"), "discount", "Discounts");
    campaigns(&p, json_get(v, "by_campaign"));
    customers(&p, json_get(v, "by_customer"));
    limits(&p, json_get(v, "limits"));
    changed(&p, json_get(v, "most_changed"));
    doubts(&p, v);
    buf_printf(out, "<footer>feira backtest, made %.*s; candidate %.*s; %lld orders per second on %lld threads</footer></body></html>",
               SLICE_FMT(cli_text(v, "made_at")), SLICE_FMT(cli_text(v, "candidate")), (long long)cli_number(v, "per_second"),
               (long long)cli_number(v, "threads"));
}
