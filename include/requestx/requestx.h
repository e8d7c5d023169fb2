/*
 * requestx.h - librequestx, an HTTP/2-first HTTP client library.  This header includes all others.
 */
#ifndef REQUESTX_H
#define REQUESTX_H

#include <requestx/types.h>

#include <requestx/address.h>
#include <requestx/auth.h>
#include <requestx/client.h>
#include <requestx/cookies.h>
#include <requestx/decoder.h>
#include <requestx/engine.h>
#include <requestx/error.h>
#include <requestx/headers.h>
#include <requestx/multipart.h>
#include <requestx/proxy.h>
#include <requestx/request.h>
#include <requestx/response.h>
#include <requestx/retry.h>
#include <requestx/tls.h>
#include <requestx/url.h>
#include <requestx/version.h>

#endif
