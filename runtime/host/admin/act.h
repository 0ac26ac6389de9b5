/* host/admin/act.h - what an operator does, with its entry in the audit log: written in the transaction that does it, and also when it is
 * refused, which changes nothing else. */
#pragma once
#include "host/api/call.h"

struct act {
    const char *action;   /* "operator.added"; a refusal is logged as "operator.added.refused" */
    struct slice subject; /* in the call's arena */
    /* On the writer; c->state is the act. Refuses before its first write. Fills c->answer, and details (a JSON object in the arena) when
     * the entry is to say more. */
    int (*run)(struct call *c, struct store_conn *conn, struct err *err);
    struct slice details;
    const char *actor; /* who, when it is not the caller: a sign-in. NULL = the caller */
    bool keys_changed; /* sessions or keys are read again after the commit */
    struct err refused;
};

void act_begin(struct call *c, struct act *a); /* answers */
/* c->err is why the caller may not: logged, then answered. The act is the route. */
void act_refuse(struct call *c);

/* "anna", "local:root", "key:key_...": as the log names the caller. In the arena; NULL when out of memory. */
const char *act_actor(struct call *c);
/* An entry by the caller in the transaction that is under way on the writer; for what is written beside another change. */
int act_note(struct call *c, struct store_conn *conn, const char *action, struct slice subject, struct slice details, struct err *err);
/* An entry by somebody else ("feira", "local:root"); on the writer. */
int act_note_by(struct shop *s, struct store_conn *conn, const char *actor, const char *action, struct slice subject, struct slice details,
                struct err *err);
/* Who owns the machine, by his name there: "local:root". */
void act_local_name(char out[CALLER_ID_MAX]);
/* After a commit: the head of the log goes into data/audit.head. On the writer. */
void act_committed(struct shop *s, struct store_conn *conn);
