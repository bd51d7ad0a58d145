/* Pages and their references, the prefix tree, and what sessions do with both.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kernels/cpu/cpu_backend.h"
#include "models/engine/session.h"
#include "runtime/base/memory.h"
#include "runtime/base/rng.h"
#include "tests/support/check.h"

static struct model_config config(void)
{
    return (struct model_config){.n_layers = 2, .n_kv_heads = 1, .head_dim = 2};
}

static struct kv_cache *cache_of(int32_t n_pages)
{
    struct model_config c = config();
    struct kv_cache *kv;

    assert_ok(kv_cache_new(cpu_backend(CPU_ISA_PLAIN), &c, DTYPE_F32, n_pages, &kv, why));
    return kv;
}

static struct prefix_tree *tree_of(struct kv_cache *kv)
{
    struct prefix_tree *t;

    assert_ok(prefix_tree_new(kv, &t, why));
    return t;
}

static void pages_come_and_go(void **state)
{
    struct kv_cache *kv = cache_of(3);
    int32_t a = kv_page_alloc(kv), b = kv_page_alloc(kv), c = kv_page_alloc(kv);

    (void)state;
    assert_true(a != b && b != c && a != c);
    assert_int_equal(kv_page_alloc(kv), KV_PAGE_NONE);
    kv_page_ref(kv, b);
    kv_page_unref(kv, b);
    assert_int_equal(kv_cache_n_free(kv), 0);
    kv_page_unref(kv, b);
    assert_int_equal(kv_cache_n_free(kv), 1);
    assert_int_equal(kv_page_alloc(kv), b);
    kv_cache_free(kv);
}

static void a_shared_page_is_copied_before_it_is_written(void **state)
{
    struct kv_cache *kv = cache_of(3);
    struct kv_layer *l = kv_cache_layers(kv);
    size_t half = 2 * KV_PAGE_TOKENS; /* floats */
    int32_t a = kv_page_alloc(kv), b = a;
    float *k = l[1].k, *v = l[1].v;

    (void)state;
    for (size_t i = 0; i < half; i++) {
        k[(size_t)a * half + i] = (float)i;
        v[(size_t)a * half + i] = (float)i + 100;
    }
    assert_true(kv_page_own(kv, &b));
    assert_int_equal(b, a); /* alone: nothing to do */
    kv_page_ref(kv, a);
    assert_true(kv_page_own(kv, &b));
    assert_true(b != a);
    assert_int_equal(kv_page_refs(kv, a), 1);
    assert_int_equal(kv_page_refs(kv, b), 1);
    assert_memory_equal(k + (size_t)a * half, k + (size_t)b * half, half * sizeof(float));
    assert_memory_equal(v + (size_t)a * half, v + (size_t)b * half, half * sizeof(float));
    kv_page_ref(kv, a);
    (void)kv_page_alloc(kv);
    b = a;
    assert_false(kv_page_own(kv, &b)); /* no page for the copy */
    assert_int_equal(b, a);
    assert_int_equal(kv_page_refs(kv, a), 2);
    kv_cache_free(kv);
}

static void fill(int32_t *ids, int32_t n, int32_t base)
{
    for (int32_t i = 0; i < n; i++)
        ids[i] = base + i;
}

static void the_least_recently_used_leaf_goes_first(void **state)
{
    struct kv_cache *kv = cache_of(4);
    struct prefix_tree *t = tree_of(kv);
    int32_t ids[4][KV_PAGE_TOKENS];
    int32_t page[4], root, child, other;

    (void)state;
    for (int i = 0; i < 4; i++) {
        fill(ids[i], KV_PAGE_TOKENS, i * 100);
        page[i] = kv_page_alloc(kv);
    }
    root = prefix_tree_add(t, PREFIX_ROOT, ids[0], page[0]);
    child = prefix_tree_add(t, root, ids[1], page[1]);
    prefix_tree_touch(t, child);
    other = prefix_tree_add(t, PREFIX_ROOT, ids[2], page[2]);
    prefix_tree_touch(t, other);
    for (int i = 0; i < 4; i++)
        kv_page_unref(kv, page[i]);
    assert_int_equal(kv_cache_n_free(kv), 1);
    assert_int_equal(prefix_tree_find(t, PREFIX_ROOT, ids[1]), PREFIX_NONE); /* under root only */
    assert_int_equal(prefix_tree_find(t, root, ids[1]), child);
    assert_true(prefix_tree_evict(t, 2));
    assert_int_equal(prefix_tree_find(t, root, ids[1]), PREFIX_NONE);
    assert_int_equal(prefix_tree_find(t, PREFIX_ROOT, ids[0]), root);
    kv_page_ref(kv, page[0]); /* the older one is in use */
    assert_true(prefix_tree_evict(t, 3));
    assert_int_equal(prefix_tree_find(t, PREFIX_ROOT, ids[2]), PREFIX_NONE);
    assert_false(prefix_tree_evict(t, 4));
    kv_page_unref(kv, page[0]);
    prefix_tree_clear(t);
    assert_int_equal(kv_cache_n_free(kv), 4);
    assert_int_equal(prefix_tree_n(t), 0);
    prefix_tree_free(t);
    kv_cache_free(kv);
}

static void start(struct model_session *s, const int32_t *ids, int32_t n)
{
    memset(s, 0, sizeof(*s));
    s->tree_node = PREFIX_ROOT;
    assert_true(session_reserve_ids(s, n));
    memcpy(s->ids, ids, (size_t)n * sizeof(*ids));
    s->n_ids = n;
}

/* As if a forward pass had filled them. */
static void compute(struct model_session *s, struct kv_cache *kv, int32_t n)
{
    assert_true(session_reserve_pages(s, kv, n));
    s->kv_len = n;
}

static void sessions_share_what_is_alike(void **state)
{
    struct kv_cache *kv = cache_of(16);
    struct prefix_tree *t = tree_of(kv);
    int32_t ids[64];
    struct model_session a, b, c;

    (void)state;
    fill(ids, 64, 0);
    start(&a, ids, 40);
    compute(&a, kv, 40); /* two full pages and a half */
    session_publish(&a, kv, t);
    assert_int_equal(prefix_tree_n(t), 2);

    start(&b, ids, 33);
    session_match(&b, kv, t);
    assert_int_equal(b.kv_len, 32);
    assert_memory_equal(a.page, b.page, 2 * sizeof(int32_t));
    start(&c, ids, 32); /* the last id's logits are wanted: its page is computed */
    session_match(&c, kv, t);
    assert_int_equal(c.kv_len, 16);

    /* c computes the second page itself, and replaces its copy by that of the tree. */
    compute(&c, kv, 32);
    assert_int_not_equal(c.page[1], a.page[1]);
    session_publish(&c, kv, t);
    assert_int_equal(c.page[1], a.page[1]);
    assert_int_equal(prefix_tree_n(t), 2);

    /* b goes back into the shared second page and must write a copy. */
    session_truncate(&b, kv, t, 20);
    assert_int_equal(b.tree_pages, 1);
    assert_int_equal(session_pages_wanted(&b, kv, 21), 1);
    compute(&b, kv, 21);
    assert_int_not_equal(b.page[1], a.page[1]);
    assert_int_equal(b.page[0], a.page[0]);

    session_release(&a, kv);
    session_release(&b, kv);
    session_release(&c, kv);
    assert_int_equal(kv_cache_n_free(kv), 14);
    assert_true(prefix_tree_evict(t, 16));
    prefix_tree_free(t);
    kv_cache_free(kv);
}

/* Random sessions against the tree: pages are never lost, freed twice or found under wrong ids. */
static void random_use_keeps_the_books(void **state)
{
    enum { SESSIONS = 6, PAGES = 24, LEN = 96 };
    struct kv_cache *kv = cache_of(PAGES);
    struct prefix_tree *t = tree_of(kv);
    struct kv_layer *l = kv_cache_layers(kv);
    struct model_session s[SESSIONS];
    float *k = l[0].k;

    (void)state;
    memset(s, 0, sizeof(s));
    for (int i = 0; i < SESSIONS; i++)
        s[i].tree_node = PREFIX_ROOT;
    for (uint32_t round = 0; round < 4000; round++) {
        struct rng_block r = rng_philox(7, round, 0, 0, 0);
        struct model_session *x = &s[r.word[0] % SESSIONS];
        int32_t keep = (int32_t)rng_below(r.word[1], (uint32_t)x->n_ids + 1);
        int32_t n = keep + 1 + (int32_t)rng_below(r.word[2], 40);

        if (n > LEN)
            n = LEN;
        if (keep >= n)
            keep = n - 1;
        session_truncate(x, kv, t, keep);
        assert_true(session_reserve_ids(x, n));
        for (int32_t i = keep; i < n; i++)
            x->ids[i] = (int32_t)(r.word[3] >> (i / 8 % 32) & 1); /* few prefixes, many hits */
        x->n_ids = n;
        session_match(x, kv, t);
        if (!prefix_tree_evict(t, session_pages_wanted(x, kv, n))) {
            for (int i = 0; i < SESSIONS; i++)
                if (&s[i] != x)
                    session_drop_kv(&s[i], kv);
            assert_true(prefix_tree_evict(t, session_pages_wanted(x, kv, n)));
        }
        assert_true(session_reserve_pages(x, kv, n));
        /* A page's keys name the ids before and in it: what is found again must agree. */
        for (int32_t i = 0; i < n; i++) {
            uint64_t hash = fnv1a64(x->ids, (size_t)(i + 1) * sizeof(int32_t));
            float *at =
                k + ((size_t)x->page[i / KV_PAGE_TOKENS] * 2 * KV_PAGE_TOKENS) + i % KV_PAGE_TOKENS;

            if (i < x->kv_len)
                assert_true(*at == (float)(hash & 0xffffff));
            else
                *at = (float)(hash & 0xffffff);
        }
        x->kv_len = n;
        session_publish(x, kv, t);
    }
    for (int i = 0; i < SESSIONS; i++)
        session_release(&s[i], kv);
    assert_true(prefix_tree_evict(t, PAGES));
    assert_int_equal(prefix_tree_n(t), 0);
    prefix_tree_free(t);
    kv_cache_free(kv);
}

static void an_idle_session_is_small(void **state)
{
    struct kv_cache *kv = cache_of(1024);
    struct model_session s;
    static int32_t ids[1200];

    (void)state;
    start(&s, ids, 1000);
    compute(&s, kv, 1000);
    assert_true(session_reserve_ids(&s, 9000)); /* room for a long reply that was short */
    session_trim(&s);
    assert_true(sizeof(s) + (size_t)s.cap_ids * 4 + (size_t)s.cap_pages * 4 <= 8 << 10);
    session_release(&s, kv);
    kv_cache_free(kv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_come_and_go),
        cmocka_unit_test(a_shared_page_is_copied_before_it_is_written),
        cmocka_unit_test(the_least_recently_used_leaf_goes_first),
        cmocka_unit_test(sessions_share_what_is_alike),
        cmocka_unit_test(random_use_keeps_the_books),
        cmocka_unit_test(an_idle_session_is_small),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
