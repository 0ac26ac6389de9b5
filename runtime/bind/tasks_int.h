/* bind/tasks_int.h - a task as the functions that wait see it. */
#pragma once
#include "bind/bind_int.h"
#include "bind/tasks.h"

struct bind_wiped { /* bytes that may be a secret's; wiped when the request was sent */
    struct bind_wiped *next;
    size_t size;
    char bytes[];
};

struct bind_task {
    struct vm *vm;
    struct vm_task lua;
    struct bind_function *function; /* whose limits and figures; may be NULL */
    struct bind_calling calling;
    uint64_t serial;
    enum bind_wait waits;
    struct outbound_request request;
    struct http_header headers[40];
    struct bind_wiped *wiped;
    struct bind_step step;
    /* what came back */
    int rc;
    const struct outbound_answer *answer;
    struct slice value;
    struct err err;
};

/* The task that runs L, for a function that is about to wait; raises where that can't be. */
struct bind_task *bind_check_task(lua_State *L, const char *what);
/* size bytes that are the task's; raises when there are none. */
char *bind_wiped_alloc(lua_State *L, struct bind_task *t, size_t size);
