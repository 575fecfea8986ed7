/* What the compiled kernels share: buffers checked before they are read, and what compilers differ in. */
#ifndef RTDECODE_KERNELS_H
#define RTDECODE_KERNELS_H
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#if FLT_EVAL_METHOD != 0
#error "wider intermediate results would not be those of the twins in Python"
#endif
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF /* gcc: -ffp-contract=off */
#elif defined(_MSC_VER)
#pragma fp_contract(off)
#ifndef __STDC_VERSION__
#define restrict __restrict
#endif
#endif
#if defined(__x86_64__) && defined(__linux__) && defined(__GLIBC__) && defined(__GNUC__)
#define WIDEST __attribute__((target_clones("avx512f", "arch=haswell", "default")))
#else
#define WIDEST
#endif

#if defined(__GNUC__) && !defined(__clang__)
#define CONTRACTED __attribute__((optimize("fp-contract=fast"))) /* where only rounding differs: twice as fast */
#else
#define CONTRACTED
#endif

#if defined(__GNUC__)
#define OURS __attribute__((visibility("hidden"))) /* no name of ours may meet another library's */
#else
#define OURS
#endif

#define ANY (-1) /* number of values */

/* Whether a buffer holds float 'f', double 'd' or int64_t 'q' in this machine's byte order. */
OURS int holds(const Py_buffer *view, char kind);

/* A C-contiguous, aligned buffer of `items` values of a kind. 0, or -1 with an error. */
OURS int take(PyObject *from, Py_buffer *view, int writable, char kind, Py_ssize_t items);

/* A copy of them, for PyMem_Free, and how many in *found unless that is NULL. NULL with an error. */
OURS void *copied(PyObject *from, char kind, Py_ssize_t items, Py_ssize_t *found);

/* The first `wanted` of `count` candidates: (order, scores, probabilities), each a tuple. NULL with an error. */
OURS PyObject *ranked(const double *scores, Py_ssize_t count, double sharpness, Py_ssize_t wanted);

OURS extern PyType_Spec chain_spec, search_spec;

#endif
