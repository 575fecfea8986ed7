/* Search: the best window of a small bank inside every candidate. Its twin is in rtdecode/retrieval/window.py. */
#include "_kernels.h"

#define TINY 1e-12
#define BLOCK 128 /* frames of the bank whose sums stay in registers */
#define APART 16  /* between two features: rows at powers of two would share few places of a cache */
#define LINE 64   /* bytes of a cache line, where rows begin */

typedef struct {
    PyObject_HEAD
    Py_ssize_t frames, width, offsets, count, length;
    float *inverse;                /* (offsets) */
    int64_t *cuts;                 /* (2 K), a copy: what was checked cannot change */
    float *query, *sums;           /* (frames, F); (frames - 1 + length), length >= T */
    double *found;                 /* (K) */
    char *memory;                  /* (F, length + APART) float from the first line on: the bank, 0 behind its end */
} Search;

static float *rows_of(const Search *self)
{
    return (float *)(self->memory + (LINE - (uintptr_t)self->memory % LINE) % LINE);
}

/* out[frames - 1 + o]: sum over frames and features of z (frames, width) times the window from o of rows (width,
 * length), length a multiple of BLOCK. Frame k of the query times a block of the bank belongs k frames further to
 * the left; what it adds before the first window is never read. */
CONTRACTED WIDEST static void slide(const float *restrict rows, const float *restrict z, Py_ssize_t length,
                                    Py_ssize_t width, Py_ssize_t frames, float *restrict out)
{
    memset(out, 0, (size_t)(frames - 1 + length) * sizeof *out);
    for (Py_ssize_t t = 0; t < length; t += BLOCK)
        for (Py_ssize_t k = 0; k < frames; k++) {
            float sums[BLOCK], *to = out + t + frames - 1 - k;
            for (Py_ssize_t i = 0; i < BLOCK; i++)
                sums[i] = z[k * width] * rows[t + i];
            for (Py_ssize_t f = 1; f < width; f++) {
                const float weight = z[k * width + f], *from = rows + f * (length + APART) + t;
                for (Py_ssize_t i = 0; i < BLOCK; i++)
                    sums[i] += weight * from[i];
            }
            for (Py_ssize_t i = 0; i < BLOCK; i++)
                to[i] += sums[i];
        }
}

/* z: the window with each feature's mean removed. Its Frobenius norm, never 0. */
static double centre(const float *x, float *z, Py_ssize_t frames, Py_ssize_t width)
{
    double power = 0;
    for (Py_ssize_t f = 0; f < width; f++) {
        double sum = 0;
        for (Py_ssize_t k = 0; k < frames; k++)
            sum += x[k * width + f];
        float mean = (float)(sum / (double)frames);
        for (Py_ssize_t k = 0; k < frames; k++) {
            float value = x[k * width + f] - mean;
            z[k * width + f] = value;
            power += (double)value * value;
        }
    }
    double norm = sqrt(power);
    return norm > TINY ? norm : TINY;
}

/* The best cosine of every candidate for this window (frames, F). */
static void score(Search *self, const float *window, double *found)
{
    const float *inverse = self->inverse;
    const int64_t *cuts = self->cuts;
    double norm = centre(window, self->query, self->frames, self->width);
    slide(rows_of(self), self->query, self->length, self->width, self->frames, self->sums);
    const float *sums = self->sums + self->frames - 1;
    for (Py_ssize_t k = 0; k < self->count; k++) {
        float best = -INFINITY;
        for (int64_t o = cuts[2 * k]; o < cuts[2 * k + 1]; o++) {
            float cosine = sums[o] * inverse[o];
            best = cosine > best ? cosine : best;
        }
        found[k] = (double)best / norm;
    }
}

static PyObject *search_first(Search *self, PyObject *args)
{
    PyObject *given;
    Py_buffer window;
    double sharpness;
    Py_ssize_t wanted;
    if (!PyArg_ParseTuple(args, "Odn", &given, &sharpness, &wanted) ||
        take(given, &window, 0, 'f', self->frames * self->width) < 0)
        return NULL;
    score(self, window.buf, self->found);
    PyBuffer_Release(&window);
    return ranked(self->found, self->count, sharpness, wanted);
}

static PyObject *search_scores(Search *self, PyObject *args)
{
    PyObject *given, *wanted;
    Py_buffer window, scores;
    if (!PyArg_ParseTuple(args, "OO", &given, &wanted))
        return NULL;
    if (take(given, &window, 0, 'f', self->frames * self->width) < 0)
        return NULL;
    if (take(wanted, &scores, 1, 'd', self->count) < 0) {
        PyBuffer_Release(&window);
        return NULL;
    }
    score(self, window.buf, scores.buf);
    PyBuffer_Release(&window);
    PyBuffer_Release(&scores);
    Py_RETURN_NONE;
}

static void search_free(PyObject *object)
{
    Search *self = (Search *)object;
    PyTypeObject *type = Py_TYPE(object);
    PyMem_Free(self->inverse);
    PyMem_Free(self->cuts);
    PyMem_Free(self->memory);
    PyMem_Free(self->query);
    PyMem_Free(self->sums);
    PyMem_Free(self->found);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(object);
    Py_DECREF(type);
}

static PyObject *search_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"features", "inverse", "cuts", "frames", "width", NULL};
    PyObject *features, *inverse, *cuts;
    Py_ssize_t frames, width, numbers;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOnn", names, &features, &inverse, &cuts, &frames, &width))
        return NULL;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Search *self = (Search *)allocate(type, 0); /* zeroed */
    if (!self)
        return NULL;
    self->frames = frames, self->width = width;
    if (frames < 1 || width < 1 || frames > PY_SSIZE_T_MAX / 8 / width) {
        PyErr_Format(PyExc_ValueError, "a window of %zd frames of %zd features", frames, width);
        goto failed;
    }
    if (!(self->inverse = copied(inverse, 'f', ANY, &self->offsets)) ||
        !(self->cuts = copied(cuts, 'q', ANY, &numbers)))
        goto failed;
    self->count = numbers / 2;
    const Py_ssize_t length = self->offsets + frames - 1;
    if (numbers % 2 || length > PY_SSIZE_T_MAX / 8 / width) {
        PyErr_Format(PyExc_ValueError, "%zd cuts, %zd frames of %zd features", numbers, length, width);
        goto failed;
    }
    for (Py_ssize_t k = 0; k < self->count; k++)
        if (self->cuts[2 * k] < 0 || self->cuts[2 * k] >= self->cuts[2 * k + 1] ||
            self->cuts[2 * k + 1] > self->offsets) {
            PyErr_Format(PyExc_ValueError, "candidate %zd is outside of the bank", k);
            goto failed;
        }
    Py_buffer given;
    if (take(features, &given, 0, 'f', length * width) < 0)
        goto failed;
    self->length = (length + BLOCK - 1) / BLOCK * BLOCK;
    self->memory = PyMem_Calloc((size_t)((self->length + APART) * width) * sizeof(float) + LINE, 1);
    self->query = PyMem_Calloc((size_t)(frames * width), sizeof(float));
    self->sums = PyMem_Calloc((size_t)(frames - 1 + self->length), sizeof(float));
    self->found = PyMem_Calloc((size_t)self->count + 1, sizeof(double));
    if (!self->memory || !self->query || !self->sums || !self->found) {
        PyBuffer_Release(&given);
        PyErr_NoMemory();
        goto failed;
    }
    for (Py_ssize_t t = 0; t < length; t++)
        for (Py_ssize_t f = 0; f < width; f++)
            rows_of(self)[f * (self->length + APART) + t] = ((const float *)given.buf)[t * width + f];
    PyBuffer_Release(&given);
    return (PyObject *)self;
failed:
    Py_DECREF(self);
    return NULL;
}

static PyMethodDef search_methods[] = {
    {"first", (PyCFunction)search_first, METH_VARARGS, "first(window, sharpness, count): see rtdecode/kernels.py"},
    {"scores", (PyCFunction)search_scores, METH_VARARGS, "scores(window, out): see rtdecode/kernels.py"},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot search_slots[] = {
    {Py_tp_new, search_new},
    {Py_tp_dealloc, search_free},
    {Py_tp_methods, search_methods},
    {0, NULL},
};
PyType_Spec search_spec = {"rtdecode._kernels.Search", sizeof(Search), 0, Py_TPFLAGS_DEFAULT, search_slots};
