/*
 * engine_support.h - an engine and a client for a server of the tests' own.  For one source file a program: all is
 * static.
 */
#ifndef TESTS_ENGINE_SUPPORT_H
#define TESTS_ENGINE_SUPPORT_H

#include <requestx/requestx.h>

#include "http_server.h"
#include "support.h"

static struct http_server server;

static inline void start_h1(void)
{
    server_start(&server, false);
}

static inline void start_h2(void)
{
    server_start(&server, true);
}

static inline void stop(void)
{
    server_stop(&server);
}

static inline rqx_engine *new_engine(rqx_mode mode, int pull)
{
    rqx_engine_options options;
    rqx_engine *engine = NULL;

    rqx_engine_options_init(&options);
    options.mode = mode;
    options.pull_events = pull;
    ck_assert_int_eq(rqx_engine_new(&options, &engine), 0);
    return engine;
}

/* Nothing here takes a minute, on however busy a machine: what is about timeouts sets its own. */
static inline void default_options(rqx_client_options *options)
{
    rqx_client_options_init(options);
    options->timeouts.connect_ms = options->timeouts.read_ms = options->timeouts.write_ms = options->timeouts.pool_ms =
        60000;
    options->trust_env = 0;
    options->protocols = server.h2 ? RQX_PROTO_HTTP2 : RQX_PROTO_HTTP1;
}

static inline rqx_client *new_client(rqx_engine *engine)
{
    rqx_client_options options;
    rqx_client *client = NULL;

    default_options(&options);
    ck_assert_int_eq(rqx_client_new(engine, &options, &client), 0);
    return client;
}

static inline rqx_request *new_request(const char *method, const char *path)
{
    rqx_request *request = NULL;

    ck_assert_int_eq(rqx_request_new_text(method, server_url(&server, path), &request), 0);
    return request;
}

static inline void expect_body(rqx_response *response, const char *text)
{
    rqx_slice body;

    ck_assert_int_eq(rqx_response_body(response, &body), 0);
    ck_assert_uint_eq(body.len, strlen(text));
    ck_assert_mem_eq(body.data, text, body.len);
}

#endif
