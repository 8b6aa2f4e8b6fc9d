// AMX for tests of kernels, on CPUs that lack it: see amx_emulator.c.
#ifndef TESS_TESTS_AMX_EMULATOR_H
#define TESS_TESTS_AMX_EMULATOR_H

// Set-up and teardown of a cmocka test. Between them devices under PoCL have AMX, if need
// be an emulated one: on x86-64 and Linux, elsewhere they are as they are.
int amx_setup(void **state);
int amx_teardown(void **state);

#endif
