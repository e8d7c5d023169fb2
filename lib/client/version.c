#include <requestx/version.h>

#include "http/coding.h"
#include "net/resolver.h"
#include "net/wire.h"
#include "proto/codec.h"

#include <pthread.h>

static rqx_version_info info;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fill(void)
{
    info.number = RQX_VERSION_NUM;
    info.version = RQX_VERSION;
    info.nghttp2 = rqx__h2_library();
    info.openssl = rqx__tls_library();
    info.cares = rqx__resolver_library();
    info.codings = rqx__codings_built();
}

const rqx_version_info *rqx_version(void)
{
    pthread_once(&once, fill);
    return &info;
}
