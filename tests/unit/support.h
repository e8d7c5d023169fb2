/*
 * support.h - what the unit tests share.  Each test file is one Check program that ends with RQX_CHECK_MAIN(suite).
 */
#ifndef RQX_TESTS_UNIT_SUPPORT_H
#define RQX_TESTS_UNIT_SUPPORT_H

#include <check.h>
#include <stdlib.h>

/* Runs the suite that |make_suite| gives; CK_FORK=no in the environment runs it in one process (sanitizers, valgrind). */
#define RQX_CHECK_MAIN(make_suite)                                                                                     \
    int main(void)                                                                                                     \
    {                                                                                                                  \
        SRunner *runner = srunner_create(make_suite());                                                                \
        int failed;                                                                                                    \
                                                                                                                       \
        srunner_run_all(runner, CK_NORMAL);                                                                            \
        failed = srunner_ntests_failed(runner);                                                                        \
        srunner_free(runner);                                                                                          \
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;                                                              \
    }

/* What a forked child reached is kept only if it says so before it ends by a signal or _exit(). */
#ifdef RQX_COVERAGE
void __gcov_dump(void);
#define RQX_KEEP_COVERAGE() __gcov_dump()
#else
#define RQX_KEEP_COVERAGE() ((void)0)
#endif

/*
 * RQX_TEST_STEP=n: loops over very many like things take each n-th alone, as under valgrind all of them would take for
 * ever.
 */
static inline unsigned rqx_test_step(void)
{
    const char *text = getenv("RQX_TEST_STEP");
    int step = text != NULL ? atoi(text) : 1;

    return step > 1 && step < 100 ? (unsigned)step : 1;
}

/* Adds a case named |name| with one test function, as most suites here have. */
static inline TCase *rqx_add_case(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);

    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 60);
    return tcase;
}

#endif
