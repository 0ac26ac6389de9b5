/* GET /v1/ledger/units: whether debits and credits agree, unit by unit. All accounts are read, so on a thread of its own. */
#include "host/care/errand.h"
#include "host/api/routes.h"
#include "ledger/ledger.h"

static void write_unit(void *ctx, const struct ledger_unit *u)
{
    struct json_writer *w = ctx;
    const struct {
        const char *key;
        int64_t n;
    } sums[] = { { "accounts", u->accounts },
                 { "debits", u->debits_posted },
                 { "credits", u->credits_posted },
                 { "held_debits", u->debits_pending },
                 { "held_credits", u->credits_pending } };
    json_object(w);
    json_key(w, "unit");
    json_str(w, u->name);
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) {
        json_key(w, sums[i].key);
        json_int(w, sums[i].n);
    }
    json_key(w, "balanced");
    json_bool(w, u->debits_posted == u->credits_posted && u->debits_pending == u->credits_pending);
    json_object_end(w);
}

static int add_up(struct call *c, struct store_conn *conn, struct err *err)
{
    struct buf b;
    struct json_writer w;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_object(&w);
    json_key(&w, "items");
    json_array(&w);
    int rc = ledger_units(conn, write_unit, &w, err);
    json_array_end(&w);
    json_object_end(&w);
    c->answer = (struct bind_answer){ 200, rc < 0 || b.failed ? (struct slice){ 0 } : arena_copy(c->arena, buf_slice(&b)) };
    buf_release(&b);
    if (rc == 0 && !c->answer.body.data)
        rc = err_set(err, ERR_NOMEM, "The shop is short of memory; try again.");
    return rc;
}

void handle_ledger_units(struct call *c)
{
    errand_send(c, add_up);
}
