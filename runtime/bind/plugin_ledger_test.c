/* feira.ledger as plugins meet it: accounts by name, asked for at each use; ids that nobody shares. */
#include "bind/fixture.h"
#include "bind/plugins.h"

static int may(void *ctx, const struct bind_plugin *caller, struct slice name, bool write, struct err *err)
{
    (void)ctx;
    const char *own = caller->name;
    size_t n = strlen(own);
    if (name.len > n && memcmp(name.data, own, n) == 0 && name.data[n] == '/')
        return 0;
    bool shared = name.len > 7 && memcmp(name.data, "shared/", 7) == 0;
    if (strcmp(own, "friend") == 0 && (shared || (!write && slice_is(name, "points/ann"))))
        return 0;
    return err_set(err, ERR_SCRIPT, "%s may not %s %.*s", own, write ? "move" : "read", SLICE_FMT(name));
}

static const struct bind_plugin_host host = { .account = may };
static const struct bind_plugin points = { .name = "points", .version = "1.0.0" };
static const struct bind_plugin friend = { .name = "friend", .version = "1.0.0" };

struct world {
    struct fixture f;
    vm_ref points, friend;
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    fixture_open(&w->f, ":memory:");
    w->f.ctx.plugins = &host;
    if (bind_plugin_ledger(w->f.vm, &points, &w->points, &w->f.err) < 0 || bind_plugin_ledger(w->f.vm, &friend, &w->friend, &w->f.err) < 0)
        fail_msg("%s", w->f.err.text);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    fixture_close(&w->f);
    free(w);
    return 0;
}

static int run_as(struct world *w, vm_ref ledger, enum bind_phase phase, const char *body)
{
    struct fixture *f = &w->f;
    char *text;
    vm_ref fn;
    arena_reset(&f->arena);
    err_clear(&f->err);
    if (asprintf(&text, "return function(ledger)\n%s\nend", body) < 0)
        abort();
    if (vm_run(f->vm, slice_str(text), "plugins/x/events.lua", &fn, &f->err) < 0)
        fail_msg("%s", f->err.text);
    free(text);
    f->ctx.phase = phase;
    f->ctx.now_ms = clock_wall_ms(&f->clock.face);
    vm_push_ref(f->vm, ledger);
    int rc = vm_call(f->vm, fn, 1, NULL, NULL, &f->err);
    f->ctx.phase = BIND_PHASE_LOAD;
    vm_release(f->vm, fn);
    return rc;
}

static void holds(struct world *w, vm_ref ledger, const char *body)
{
    if (run_as(w, ledger, BIND_PHASE_PROCEDURE, body) < 0)
        fail_msg("%s", w->f.err.text);
}

static void fails(struct world *w, vm_ref ledger, enum bind_phase phase, const char *body, const char *because)
{
    if (run_as(w, ledger, phase, body) == 0)
        fail_msg("%s went through", body);
    if (!strstr(w->f.err.text, because))
        fail_msg("%s\n  says: %s\n  not:  %s", body, w->f.err.text, because);
}

static const char accounts[] = "assert(ledger.account('points/issued', 'points') == 'points/issued')\n"
                               "assert(ledger.account('points/ann', 'points', { no_overdraft = true }) == 'points/ann')\n"
                               "assert(ledger.apply { { kind = 'transfer', id = 't1', debit = 'points/issued', credit = 'points/ann', "
                               "amount = 50 } })\n";

static void own_accounts_are_made_moved_and_read_by_name(void **state)
{
    struct world *w = *state;
    holds(w, w->points, accounts);
    holds(w, w->points,
          "local posted, held, available = ledger.balance('points/ann')\n"
          "assert(posted == 50 and held == 0 and available == 50)\n"
          "assert(ledger.balance('points/bob') == nil)\n"
          "assert(ledger.apply { { kind = 'hold', id = 'h1', debit = 'points/ann', credit = 'points/issued', amount = 20 } })\n"
          "posted, held, available = ledger.balance('points/ann')\n"
          "assert(posted == 50 and held == 20 and available == 30)\n"
          "local done, which, account = ledger.apply { { kind = 'transfer', id = 't2', debit = 'points/ann', credit = 'points/issued', "
          "amount = 31 } }\n"
          "assert(done == nil and which == 1 and account == 'points/ann')\n"
          "assert(ledger.apply { { kind = 'post', id = 'p1', pending = 'h1' } })\n"
          "assert(ledger.balance('points/ann') == 30)");
    assert_int_equal(w->f.ledger_hooks.before_commit(w->f.ledger_hooks.ctx, NULL), 0); /* no writer does it here */
    fixture_books_balance(&w->f);
}

static void the_same_transfer_twice_is_done_once(void **state)
{
    struct world *w = *state;
    holds(w, w->points, accounts);
    holds(w, w->points, accounts);
    holds(w, w->points, "assert(ledger.balance('points/ann') == 50)");
}

static void accounts_of_others_need_a_need(void **state)
{
    struct world *w = *state;
    holds(w, w->points, accounts);
    fails(w, w->points, BIND_PHASE_PROCEDURE, "ledger.account('stock/TEA/main', 'pcs')", "points may not move stock/TEA/main");
    fails(w, w->points, BIND_PHASE_PROCEDURE, "ledger.balance('friend/ann')", "points may not read friend/ann");
    fails(w, w->friend, BIND_PHASE_PROCEDURE,
          "ledger.account('friend/in', 'points') ledger.apply { { kind = 'transfer', id = 't', debit = 'points/ann', credit = "
          "'friend/in', amount = 1 } }",
          "friend may not move points/ann");
    fails(w, w->friend, BIND_PHASE_PROCEDURE,
          "ledger.account('friend/in', 'points') ledger.apply { { kind = 'transfer', id = 't', debit = 'friend/in', credit = "
          "'points/ann', amount = 1 } }",
          "may not move points");
    fails(w, w->points, BIND_PHASE_PROCEDURE, "ledger.account('points', 'points')", "may not move points");
    holds(w, w->friend, "assert(ledger.balance('points/ann') == 50)");
    holds(w, w->friend, "ledger.account('shared/pot', 'points')");
}

/* What one has begun, another can't end, repeat or block, although it guesses the id. */
static void ids_belong_to_their_plugin(void **state)
{
    struct world *w = *state;
    holds(w, w->points, accounts);
    holds(w, w->points,
          "assert(ledger.apply { { kind = 'hold', id = 'h', debit = 'points/ann', credit = 'points/issued', amount = 20 } })");
    fails(w, w->friend, BIND_PHASE_PROCEDURE, "ledger.apply { { kind = 'void', id = 'v', pending = 'h' } }", "friend/h");
    fails(w, w->friend, BIND_PHASE_PROCEDURE, "ledger.apply { { kind = 'void', id = 'v', pending = 'points/h' } }", "friend/points/h");
    holds(w, w->friend,
          "ledger.account('shared/a', 'x') ledger.account('shared/b', 'x')\n"
          "assert(ledger.apply { { kind = 'transfer', id = 't1', debit = 'shared/a', credit = 'shared/b', amount = 1 } })");
    holds(w, w->points, "assert(ledger.apply { { kind = 'void', id = 'v', pending = 'h' } })");
}

static void what_is_wrong_is_said(void **state)
{
    struct world *w = *state;
    holds(w, w->points, accounts);
    fails(w, w->points, BIND_PHASE_PROCEDURE,
          "ledger.apply { { kind = 'transfer', id = 't', debit = 'points/bob', credit = 'points/ann', amount = 1 } }",
          "there is no account points/bob yet; make it with ledger.account");
    fails(w, w->points, BIND_PHASE_PROCEDURE,
          "ledger.apply { { kind = 'transfer', id = ('x'):rep(90), debit = 'points/issued', credit = 'points/ann', amount = 1 } }",
          "1 to 89 bytes");
    fails(w, w->points, BIND_PHASE_PROCEDURE,
          "ledger.apply { { kind = 'transfer', id = '', debit = 'points/issued', credit = 'points/ann', amount = 1 } }", "1 to 89 bytes");
    fails(w, w->points, BIND_PHASE_PROCEDURE,
          "ledger.apply { { kind = 'transfer', id = 'f', debit = 'points/issued', credit = 'points/ann', amount = 1.5 } }", "amount");
    fails(w, w->points, BIND_PHASE_PROCEDURE, "ledger.apply { { kind = 'give', id = 'f' } }", "kind is transfer, hold, post or void");
}

static void a_handler_reads_and_a_rule_does_not(void **state)
{
    struct world *w = *state;
    holds(w, w->points, accounts);
    if (run_as(w, w->points, BIND_PHASE_HANDLER, "assert(ledger.balance('points/ann') == 50)") < 0)
        fail_msg("%s", w->f.err.text);
    fails(w, w->points, BIND_PHASE_HANDLER, "ledger.account('points/x', 'points')", "ledger.account()");
    fails(w, w->points, BIND_PHASE_HANDLER, "ledger.apply {}", "ledger.apply()");
    fails(w, w->points, BIND_PHASE_RULE, "ledger.balance('points/ann')", "ledger.balance()");
}

static void statements_are_read_by_those_who_may(void **state)
{
    struct world *w = *state;
    holds(w, w->points, accounts);
    holds(w, w->points,
          "local time = require 'feira.time'\n"
          "local now = time.now()\n"
          "assert(ledger.apply { { kind = 'transfer', id = 't2', debit = 'points/ann', credit = 'points/issued', amount = 8, reference = "
          "'r' } })\n"
          "local s = ledger.statement('points/ann', { from = now, to = now + 1 })\n"
          "assert(s.unit == 'points' and s.opening == 0 and s.credits == 50 and s.debits == 8 and s.closing == 42 and #s.entries == 2)\n"
          "local e = s.entries[2]\n"
          "assert(e.id == 'points/t2' and e.amount == -8 and e.balance == 42 and e.other == 'points/issued' and e.reference == 'r')\n"
          "assert(e.at == now and e.kind == 'transfer' and e.hold == nil and s.next == nil)\n"
          "s = ledger.statement('points/ann', { limit = 1 })\n"
          "assert(#s.entries == 1 and s.next)\n"
          "s = ledger.statement('points/ann', { limit = 1, after = s.next })\n"
          "assert(s.entries[1].balance == 42 and s.next == nil)\n"
          "s = ledger.statement('points/ann', { to = now, limit = 0 })\n"
          "assert(s.closing == 0 and #s.entries == 0)\n"
          "assert(ledger.statement('points/nobody') == nil)");
    fails(w, w->friend, BIND_PHASE_PROCEDURE, "ledger.statement('points/bob')", "friend may not move points/bob");
    fails(w, w->friend, BIND_PHASE_PROCEDURE, "ledger.statement('points/ann')", "friend may not move points/ann");
    fails(w, w->points, BIND_PHASE_PROCEDURE, "ledger.statement('points/ann', { from = 5, to = 4 })", "to the same or a later one");
    fails(w, w->points, BIND_PHASE_PROCEDURE, "ledger.statement('points/ann', { after = '1' })", "what a statement gave as next");
    fails(w, w->points, BIND_PHASE_PROCEDURE, "ledger.statement('points/ann', { after = '1.99999999999999999999' })",
          "what a statement gave");
    fails(w, w->points, BIND_PHASE_PROCEDURE, "ledger.statement('points/ann', { after = '1.2x' })", "what a statement gave as next");
    fails(w, w->points, BIND_PHASE_PROCEDURE, "ledger.statement('points/ann', { after = '1.0' })", "what a statement gave as next");
    fails(w, w->points, BIND_PHASE_PROCEDURE, "ledger.statement('points/ann', { limit = 1001 })", "limit is 0 to 1000");
    fails(w, w->points, BIND_PHASE_RULE, "ledger.statement('points/ann')", "ledger.statement()");
}

static void how_a_hold_stands_is_told_to_its_maker(void **state)
{
    struct world *w = *state;
    holds(w, w->points, accounts);
    holds(
        w, w->points,
        "local now = require('feira.time').now()\n"
        "local function hold(id, expires) assert(ledger.apply { { kind = 'hold', id = id, debit = 'points/ann', credit = 'points/issued', "
        "amount = 10, expires = expires } }) end\n"
        "hold('a', now + 1000) hold('b', now) hold('c')\n"
        "assert(ledger.hold('a') == 'open' and ledger.hold('b') == 'expired' and ledger.hold('x') == nil)\n"
        "assert(ledger.apply { { kind = 'post', id = 'pa', pending = 'a', amount = 4 }, { kind = 'void', id = 'vc', pending = 'c' } })\n"
        "local standing, amount, posted = ledger.hold('a')\n"
        "assert(standing == 'posted' and amount == 10 and posted == 4 and ledger.hold('c') == 'voided')");
    fails(w, w->points, BIND_PHASE_PROCEDURE, "ledger.apply { { kind = 'post', id = 'pb', pending = 'b' } }", "past its time");
    holds(w, w->friend, "assert(ledger.hold('a') == nil)");
}

static void what_is_left_is_asked_by_name(void **state)
{
    struct world *w = *state;
    holds(w, w->points, accounts);
    holds(w, w->points,
          "assert(ledger.left('points/ann') == 50 and ledger.left('points/nobody') == nil)\n"
          "assert(not ledger.exhausted('points/ann') and not ledger.exhausted('points/ann', 50) and ledger.exhausted('points/ann', 51))\n"
          "assert(ledger.exhausted('points/nobody') == false)\n"
          "assert(ledger.account('points/ann', 'points', { no_overdraft = true, published = true }) == 'points/ann')\n"
          "assert(ledger.apply { { kind = 'hold', id = 'h', debit = 'points/ann', credit = 'points/issued', amount = 50 } })\n"
          "assert(ledger.left('points/ann') == 0 and ledger.exhausted('points/ann'))");
    holds(w, w->friend, "assert(ledger.left('points/ann') == 0)");
    fails(w, w->friend, BIND_PHASE_PROCEDURE, "ledger.left('points/bob')", "friend may not read points/bob");
    fails(w, w->points, BIND_PHASE_PROCEDURE, "ledger.account('points/x', 'points', { published = true })",
          "say no_overdraft with published");
    fails(w, w->points, BIND_PHASE_RULE, "ledger.exhausted('points/ann')", "ledger.exhausted()");
}

static void accounts_are_frozen_and_closed_with_a_reason(void **state)
{
    struct world *w = *state;
    holds(w, w->points, accounts);
    holds(w, w->points, "ledger.change('points/ann', { frozen = true }, 'looks odd')");
    fails(w, w->points, BIND_PHASE_PROCEDURE,
          "ledger.apply { { kind = 'transfer', id = 'f', debit = 'points/ann', credit = 'points/issued', amount = 1 } }", "is frozen");
    fails(w, w->points, BIND_PHASE_PROCEDURE, "ledger.change('points/ann', { closed = true }, 'gone')", "empty it before it is closed");
    fails(w, w->points, BIND_PHASE_PROCEDURE, "ledger.change('points/ann', { frozen = false }, '')", "Say why");
    fails(w, w->points, BIND_PHASE_PROCEDURE, "ledger.change('points/ann', { frozen = 1 }, 'x')", "frozen is true or false");
    fails(w, w->friend, BIND_PHASE_PROCEDURE, "ledger.change('points/ann', { frozen = false }, 'x')", "friend may not move points/ann");
    holds(w, w->points, "ledger.change('points/ann', { frozen = false }, 'it was not')");
    holds(w, w->points,
          "assert(ledger.apply { { kind = 'transfer', id = 'f', debit = 'points/ann', credit = 'points/issued', amount = 50 } })\n"
          "ledger.change('points/ann', { closed = true }, 'gone')");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(own_accounts_are_made_moved_and_read_by_name, setup, teardown),
        cmocka_unit_test_setup_teardown(the_same_transfer_twice_is_done_once, setup, teardown),
        cmocka_unit_test_setup_teardown(accounts_of_others_need_a_need, setup, teardown),
        cmocka_unit_test_setup_teardown(ids_belong_to_their_plugin, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_said, setup, teardown),
        cmocka_unit_test_setup_teardown(a_handler_reads_and_a_rule_does_not, setup, teardown),
        cmocka_unit_test_setup_teardown(statements_are_read_by_those_who_may, setup, teardown),
        cmocka_unit_test_setup_teardown(how_a_hold_stands_is_told_to_its_maker, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_left_is_asked_by_name, setup, teardown),
        cmocka_unit_test_setup_teardown(accounts_are_frozen_and_closed_with_a_reason, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
