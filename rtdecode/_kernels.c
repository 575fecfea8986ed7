/* What a decision waits for beside the network, without the interpreter: the newest samples filtered
 * (_chain.c), a bank searched (_search.c), candidates ranked, a line put together. rtdecode/kernels.py says when
 * it is used; everything here has a twin in Python, which the tests compare it with. Between two hops a processor
 * forgets what it held: of this code it forgets less.
 *
 * Stable ABI of Python 3.11. Every array is checked before it is read.
 */
#include "_kernels.h"

#define MOST 64     /* candidates that `top` can give */
#define PLACES 256  /* that a byte can number */

int holds(const Py_buffer *view, char kind)
{
    const char *format = view->format ? view->format : "B";
    if (*format == '@' || *format == '=')
        format++;
    return (*format == kind || (*format == 'l' && kind == 'q')) && !format[1] &&
           view->itemsize == (kind == 'f' ? 4 : 8);
}

int take(PyObject *from, Py_buffer *view, int writable, char kind, Py_ssize_t items)
{
    if (PyObject_GetBuffer(from, view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0)) < 0)
        return -1;
    if (holds(view, kind) && (items == ANY || view->len / view->itemsize == items) &&
        (uintptr_t)view->buf % (size_t)view->itemsize == 0)
        return 0;
    PyErr_Format(PyExc_ValueError, "%zd bytes of %s, where %zd aligned values of %c were expected", view->len,
                 view->format ? view->format : "B", items, kind);
    PyBuffer_Release(view);
    return -1;
}

void *copied(PyObject *from, char kind, Py_ssize_t items, Py_ssize_t *found)
{
    Py_buffer view;
    if (take(from, &view, 0, kind, items) < 0)
        return NULL;
    void *copy = PyMem_Malloc((size_t)view.len + 1);
    if (copy)
        memcpy(copy, view.buf, (size_t)view.len);
    else
        PyErr_NoMemory();
    if (found)
        *found = view.len / view.itemsize;
    PyBuffer_Release(&view);
    return copy;
}

/* --- top: the first few, and what they are worth */

PyObject *ranked(const double *scores, Py_ssize_t count, double sharpness, Py_ssize_t wanted)
{
    PyObject *found = NULL;
    Py_ssize_t held = 0, order[MOST] = {0};
    if (wanted < 1 || wanted > count || wanted > MOST) {
        PyErr_Format(PyExc_ValueError, "the first %zd of %zd candidates", wanted, count);
        return NULL;
    }
    for (Py_ssize_t k = 0; k < count; k++) { /* equal scores keep their order */
        if (isnan(scores[k])) {
            PyErr_Format(PyExc_ValueError, "the score of candidate %zd is not a number", k);
            return NULL;
        }
        if (held == wanted && !(scores[k] > scores[order[held - 1]]))
            continue;
        Py_ssize_t at = held < wanted ? held++ : held - 1;
        for (; at > 0 && scores[k] > scores[order[at - 1]]; at--)
            order[at] = order[at - 1];
        order[at] = k;
    }
    double sum = 0, best = scores[order[0]];
    for (Py_ssize_t k = 0; k < count; k++)
        sum += exp((scores[k] - best) * sharpness);
    PyObject *columns[3] = {PyTuple_New(wanted), PyTuple_New(wanted), PyTuple_New(wanted)};
    int failed = !columns[0] || !columns[1] || !columns[2];
    for (Py_ssize_t i = 0; !failed && i < wanted; i++) {
        double score = scores[order[i]];
        PyObject *items[3] = {PyLong_FromSsize_t(order[i]), PyFloat_FromDouble(score),
                              PyFloat_FromDouble(exp((score - best) * sharpness) / sum)};
        for (int c = 0; c < 3; c++) /* an item that could not be made is told by the error */
            failed |= !items[c] || PyTuple_SetItem(columns[c], i, items[c]) < 0;
    }
    if (!failed)
        found = PyTuple_Pack(3, columns[0], columns[1], columns[2]);
    for (int c = 0; c < 3; c++)
        Py_XDECREF(columns[c]);
    return found;
}

static PyObject *top(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *given;
    Py_buffer view;
    double sharpness;
    Py_ssize_t wanted;
    if (!PyArg_ParseTuple(args, "Odn", &given, &sharpness, &wanted) || take(given, &view, 0, 'd', ANY) < 0)
        return NULL;
    PyObject *found = ranked(view.buf, view.len / 8, sharpness, wanted);
    PyBuffer_Release(&view);
    return found;
}

/* --- finite: only numbers? All bits of the exponent are set in an infinity, and in what is no number. */

#define NUMBERS(name, type, bits, infinite)                             \
    WIDEST static int name(const type *values, Py_ssize_t count)        \
    {                                                                   \
        bits most = 0;                                                  \
        for (Py_ssize_t i = 0; i < count; i++) {                        \
            bits value;                                                 \
            memcpy(&value, values + i, sizeof value);                   \
            value &= (bits)-1 >> 1;                                     \
            most = value > most ? value : most;                         \
        }                                                               \
        return most < infinite;                                         \
    }
NUMBERS(numbers_f, float, uint32_t, UINT32_C(0x7f800000))
NUMBERS(numbers_d, double, uint64_t, UINT64_C(0x7ff0000000000000))

/* The same of a view whose values lie apart. */
static int apart(const Py_buffer *view, int single, int axis, const char *at)
{
    if (axis == view->ndim) {
        double value;
        float narrow;
        memcpy(single ? (void *)&narrow : (void *)&value, at, (size_t)view->itemsize);
        return single ? numbers_f(&narrow, 1) : numbers_d(&value, 1);
    }
    for (Py_ssize_t i = 0; i < view->shape[axis]; i++)
        if (!apart(view, single, axis + 1, at + i * view->strides[axis]))
            return 0;
    return 1;
}

static PyObject *only_numbers(PyObject *module, PyObject *given)
{
    (void)module;
    Py_buffer view;
    if (PyObject_GetBuffer(given, &view, PyBUF_STRIDES | PyBUF_FORMAT) < 0)
        return NULL;
    const int single = holds(&view, 'f');
    if (!single && !holds(&view, 'd')) {
        PyErr_Format(PyExc_ValueError, "values of %s, where f or d were expected", view.format ? view.format : "B");
        PyBuffer_Release(&view);
        return NULL;
    }
    const Py_ssize_t count = view.len / view.itemsize;
    int found;
    if (!PyBuffer_IsContiguous(&view, 'C'))
        found = apart(&view, single, 0, view.buf);
    else
        found = single ? numbers_f(view.buf, count) : numbers_d(view.buf, count);
    PyBuffer_Release(&view);
    return PyBool_FromLong(found);
}

/* --- splice: numbers and pieces of text put where a form has places for them */

typedef struct {
    const char *begin;
    Py_ssize_t size;
} Text;

/* What stands at a place: byte 1 or 2, then which number or piece. NULL with an error. */
static const Text *at_place(const unsigned char *place, const unsigned char *end, const Text *numbers, int count,
                            const Text *pieces, Py_ssize_t given)
{
    if (place + 1 < end && place[1] < (*place == 1 ? count : given))
        return (*place == 1 ? numbers : pieces) + place[1];
    PyErr_Format(PyExc_ValueError, "no place: there are %d numbers and %zd pieces", count, given);
    return NULL;
}

/* Where the words from here on end: the next place, or the form's end. */
static const unsigned char *words(const unsigned char *from, const unsigned char *end)
{
    while (from < end && *from != 1 && *from != 2)
        from++;
    return from;
}

static PyObject *splice(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *form, *digits, *texts;
    Text numbers[PLACES], pieces[PLACES], whole, row;
    int count = 0;
    if (!PyArg_ParseTuple(args, "SSO!", &form, &digits, &PyList_Type, &texts) ||
        PyBytes_AsStringAndSize(form, (char **)&whole.begin, &whole.size) < 0 ||
        PyBytes_AsStringAndSize(digits, (char **)&row.begin, &row.size) < 0)
        return NULL;
    const Py_ssize_t given = PyList_Size(texts);
    if (given > PLACES || row.size < 2) {
        PyErr_Format(PyExc_ValueError, "%zd pieces, %zd bytes of numbers", given, row.size);
        return NULL;
    }
    for (Py_ssize_t i = 0; i < given; i++)
        if (PyBytes_AsStringAndSize(PyList_GetItem(texts, i), (char **)&pieces[i].begin, &pieces[i].size) < 0)
            return NULL;
    const char *last = row.begin + row.size - 1; /* the closing bracket */
    for (const char *at = row.begin + 1; count < PLACES; at = numbers[count - 1].begin + numbers[count - 1].size + 1) {
        const char *comma = at < last ? memchr(at, ',', (size_t)(last - at)) : NULL;
        numbers[count].begin = at, numbers[count].size = (comma ? comma : last) - at;
        count++;
        if (!comma)
            break;
    }
    const unsigned char *begin = (const unsigned char *)whole.begin, *end = begin + whole.size;
    Py_ssize_t size = 0;
    for (const unsigned char *c = words(begin, end); c < end; c = words(c + 2, end)) {
        const Text *text = at_place(c, end, numbers, count, pieces, given);
        if (!text)
            return NULL;
        size += text->size - 2;
    }
    PyObject *line = PyBytes_FromStringAndSize(NULL, whole.size + size);
    char *out = line ? PyBytes_AsString(line) : NULL;
    for (const unsigned char *from = begin; out && from < end; from += 2) {
        const unsigned char *place = words(from, end);
        memcpy(out, from, (size_t)(place - from));
        out += place - from, from = place;
        if (place < end) {
            const Text *text = at_place(place, end, numbers, count, pieces, given);
            memcpy(out, text->begin, (size_t)text->size);
            out += text->size;
        }
    }
    return line;
}

static PyMethodDef functions[] = {
    {"finite", only_numbers, METH_O, "finite(values): see rtdecode/kernels.py"},
    {"splice", splice, METH_VARARGS, "splice(form, numbers, pieces): see rtdecode/kernels.py"},
    {"top", top, METH_VARARGS, "top(scores, sharpness, count): see rtdecode/kernels.py"},
    {NULL, NULL, 0, NULL},
};

static int fill(PyObject *module)
{
    struct {
        const char *name;
        PyType_Spec *spec;
    } types[] = {{"Chain", &chain_spec}, {"Search", &search_spec}};
    for (int i = 0; i < 2; i++) {
        PyObject *type = PyType_FromSpec(types[i].spec);
        int failed = !type || PyModule_AddObjectRef(module, types[i].name, type) < 0;
        Py_XDECREF(type);
        if (failed)
            return -1;
    }
    return 0;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, fill}, {0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_kernels", NULL, 0, functions, slots, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__kernels(void)
{
    return PyModuleDef_Init(&definition);
}
