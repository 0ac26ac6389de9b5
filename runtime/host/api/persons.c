/* Persons: what the stdlib can't do of their rights by itself. */
#include "host/api/routes.h"
#include "host/care/access.h"
#include "host/worker.h"

void handle_access(struct call *c)
{
    struct buf *out = &c->worker->out;
    struct json_writer w;
    buf_clear(out);
    json_writer_init(&w, out);
    json_object(&w);
    json_key(&w, "items");
    c->rc = access_write(c->shop->access, c->worker->conn, &w, &c->err);
    json_key(&w, "complete");
    json_bool(&w, !access_overflowed(c->shop->access));
    json_object_end(&w);
    if (c->rc == 0 && out->failed)
        c->rc = err_set(&c->err, ERR_NOMEM, "The shop is short of memory; try again.");
    if (c->rc < 0)
        call_fail(c, NULL, (struct slice){ 0 });
    else
        call_answer_json(c, 200, buf_slice(out));
}
