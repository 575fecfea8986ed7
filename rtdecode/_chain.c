/* Chain: band-pass, resampling and scaling in one loop over samples. Its twin is in rtdecode/preprocess.py.
 *
 * An output is a weighted sum over many inputs. Its twin looks back over them when it is due; here every input is
 * carried on into the few outputs it belongs to, so that an output that is due lacks its newest input only. The
 * products are the same and are summed in the same order.
 */
#include "_kernels.h"

#define LONG (1 << 20) /* bytes of samples from which on other threads may run meanwhile */

typedef struct {
    PyObject_HEAD
    Py_ssize_t channels, sections, taps, open;
    int64_t up, down, seen, made; /* the last two: inputs, outputs since `reset` */
    int carried;                  /* whether the newest input is in all its outputs */
    int busy;                     /* somebody is pushing, perhaps without the interpreter's lock */
    double clamp;
    double *sos, *settled;    /* (sections, 6), (sections, 2) */
    double *phases;           /* (up, taps), newest input last */
    double *centre, *scale;   /* (channels) */
    double *state;            /* (sections, 2, channels) */
    double *sums;             /* (open, channels): of output n, so far, in row n % open; the rest are 0 */
    double *row;              /* (channels): the newest input, filtered */
} Chain;

/* One row through second-order sections, transposed direct form II: every channel by the same operations in
 * the same order as scipy.signal.sosfilt, and none contracted, so that the bits are the same. */
WIDEST static void sections(const double *restrict sos, double *restrict state, double *restrict row,
                            Py_ssize_t count, Py_ssize_t channels)
{
    for (Py_ssize_t s = 0; s < count; s++, sos += 6, state += 2 * channels) {
        const double b0 = sos[0], b1 = sos[1], b2 = sos[2], a1 = sos[4], a2 = sos[5];
        double *restrict z0 = state, *restrict z1 = state + channels;
        for (Py_ssize_t c = 0; c < channels; c++) {
            const double x = row[c], y = b0 * x + z0[c];
            z0[c] = b1 * x - a1 * y + z1[c];
            z1[c] = b2 * x - a2 * y;
            row[c] = y;
        }
    }
}

WIDEST static void add(double weight, const double *restrict row, Py_ssize_t channels, double *restrict sum)
{
    for (Py_ssize_t c = 0; c < channels; c++)
        sum[c] += weight * row[c];
}

/* Output n: its newest input; the row of its sum; what input number `input`, one of its taps, weighs in it. */
static int64_t newest_of(const Chain *self, int64_t n) { return n * self->down / self->up; }
static double *sum_of(const Chain *self, int64_t n) { return self->sums + n % self->open * self->channels; }
static double weight_of(const Chain *self, int64_t n, int64_t input)
{
    return self->phases[(n * self->down % self->up + 1) * self->taps - 1 - (newest_of(self, n) - input)];
}

/* The newest input into the outputs that are not due yet. Nothing waits for that: done before the next input,
 * or in an empty push. */
static void carry(Chain *self)
{
    if (!self->carried)
        for (int64_t n = self->made; newest_of(self, n) < self->seen - 1 + self->taps; n++)
            add(weight_of(self, n, self->seen - 1), self->row, self->channels, sum_of(self, n));
    self->carried = 1;
}

static void chain_begin(Chain *self)
{
    self->seen = self->made = 0;
    self->carried = 1;
    memset(self->sums, 0, (size_t)(self->open * self->channels) * sizeof(double));
}

static int chain_is_busy(Chain *self)
{
    if (self->busy)
        PyErr_SetString(PyExc_RuntimeError, "somebody else is pushing into this chain");
    return self->busy;
}

static PyObject *chain_reset(Chain *self, PyObject *unused)
{
    (void)unused;
    if (chain_is_busy(self))
        return NULL;
    chain_begin(self);
    Py_RETURN_NONE;
}

/* One sample of float32 (width 4) or float64, which need not be aligned. */
static void chain_sample(Chain *self, const char *x, Py_ssize_t width, float **out)
{
    const Py_ssize_t channels = self->channels;
    double *row = self->row;
    carry(self);
    if (width == 8)
        memcpy(row, x, (size_t)channels * sizeof *row);
    else
        for (Py_ssize_t c = 0; c < channels; c++) {
            float value;
            memcpy(&value, x + 4 * c, sizeof value);
            row[c] = value;
        }
    if (!self->seen) /* as if the first sample had lasted for ever */
        for (Py_ssize_t s = 0; s < 2 * self->sections; s++)
            for (Py_ssize_t c = 0; c < channels; c++)
                self->state[s * channels + c] = self->settled[s] * row[c];
    sections(self->sos, self->state, row, self->sections, channels);
    self->seen++;
    self->carried = 0;
    for (; newest_of(self, self->made) < self->seen; self->made++, *out += channels) {
        double *sum = sum_of(self, self->made);
        add(weight_of(self, self->made, self->seen - 1), row, channels, sum);
        for (Py_ssize_t c = 0; c < channels; c++) {
            const double y = (sum[c] - self->centre[c]) / self->scale[c];
            (*out)[c] = (float)(y > self->clamp ? self->clamp : y < -self->clamp ? -self->clamp : y);
        }
        memset(sum, 0, (size_t)channels * sizeof *sum);
    }
}

static PyObject *pushed(Chain *self, PyObject *given, PyObject *wanted)
{
    Py_buffer samples, made;
    if (PyObject_GetBuffer(given, &samples, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) < 0)
        return NULL;
    const Py_ssize_t width = samples.itemsize, sample = width * self->channels;
    if (!(holds(&samples, 'f') || holds(&samples, 'd')) || samples.len % sample) {
        PyErr_Format(PyExc_ValueError, "%zd bytes are no rows of %zd channels", samples.len, self->channels);
        PyBuffer_Release(&samples);
        return NULL;
    }
    const Py_ssize_t rows = samples.len / sample;
    const int64_t stop = ((self->seen + rows) * self->up + self->down - 1) / self->down;
    if (take(wanted, &made, 1, 'f', (Py_ssize_t)(stop - self->made) * self->channels) < 0) {
        PyBuffer_Release(&samples);
        return NULL;
    }
    const char *x = samples.buf;
    float *out = made.buf;
    /* a whole recording takes seconds; in a hop, whoever took the lock might keep it for milliseconds */
    PyThreadState *lent = NULL;
    if (samples.len > LONG)
        lent = PyEval_SaveThread();
    for (Py_ssize_t t = 0; t < rows; t++)
        chain_sample(self, x + t * sample, width, &out);
    if (!rows)
        carry(self);
    if (lent)
        PyEval_RestoreThread(lent);
    PyBuffer_Release(&samples);
    PyBuffer_Release(&made);
    Py_RETURN_NONE;
}

static PyObject *chain_push(Chain *self, PyObject *args)
{
    PyObject *given, *wanted;
    if (!PyArg_ParseTuple(args, "OO", &given, &wanted) || chain_is_busy(self))
        return NULL;
    self->busy = 1; /* also while a buffer is asked for, which may run anything */
    PyObject *done = pushed(self, given, wanted);
    self->busy = 0;
    return done;
}

static void chain_free(PyObject *object)
{
    Chain *self = (Chain *)object;
    PyTypeObject *type = Py_TYPE(object);
    double *owned[] = {self->sos,   self->settled, self->phases, self->centre,
                       self->scale, self->state,   self->sums,   self->row};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        PyMem_Free(owned[i]);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(object);
    Py_DECREF(type);
}

static PyObject *chain_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"sos", "settled", "phases", "up", "down", "centre", "scale", "clamp", NULL};
    PyObject *sos, *settled, *phases, *centre, *scale;
    Py_ssize_t up, down, numbers;
    double clamp;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOnnOOd", names, &sos, &settled, &phases, &up, &down, &centre,
                                     &scale, &clamp))
        return NULL;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Chain *self = (Chain *)allocate(type, 0); /* zeroed */
    if (!self)
        return NULL;
    self->up = up, self->down = down, self->clamp = clamp;
    if (!(self->sos = copied(sos, 'd', ANY, &numbers)))
        goto failed;
    if (numbers % 6) {
        PyErr_Format(PyExc_ValueError, "%zd numbers are no sections of 6", numbers);
        goto failed;
    }
    self->sections = numbers / 6;
    if (!(self->settled = copied(settled, 'd', 2 * self->sections, NULL)) ||
        !(self->phases = copied(phases, 'd', ANY, &numbers)) ||
        !(self->centre = copied(centre, 'd', ANY, &self->channels)) ||
        !(self->scale = copied(scale, 'd', self->channels, NULL)))
        goto failed;
    /* down: so that no product of it with a number of samples overflows */
    if (up < 1 || down < up || down > INT32_MAX || numbers < up || numbers % up || !self->channels) {
        PyErr_Format(PyExc_ValueError, "%zd taps, up %zd, down %zd, %zd channels", numbers, up, down, self->channels);
        goto failed;
    }
    self->taps = numbers / up;
    const size_t channels = (size_t)self->channels;
    self->state = PyMem_Calloc(2 * (size_t)self->sections * channels + 1, sizeof(double));
    self->open = (Py_ssize_t)(self->taps * up / down) + 2; /* outputs that one input belongs to, at most */
    self->sums = PyMem_Calloc((size_t)self->open * channels, sizeof(double));
    self->row = PyMem_Calloc(channels, sizeof(double));
    self->carried = 1;
    if (!self->state || !self->sums || !self->row) {
        PyErr_NoMemory();
        goto failed;
    }
    return (PyObject *)self;
failed:
    Py_DECREF(self);
    return NULL;
}

static PyMethodDef chain_methods[] = {
    {"push", (PyCFunction)chain_push, METH_VARARGS, "push(x, out): see rtdecode/kernels.py"},
    {"reset", (PyCFunction)chain_reset, METH_NOARGS, "reset(): see rtdecode/kernels.py"},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot chain_slots[] = {
    {Py_tp_new, chain_new},
    {Py_tp_dealloc, chain_free},
    {Py_tp_methods, chain_methods},
    {0, NULL},
};
PyType_Spec chain_spec = {"rtdecode._kernels.Chain", sizeof(Chain), 0, Py_TPFLAGS_DEFAULT, chain_slots};
