#include "ops/attention_cached.hpp"

namespace polytrain {

void AttentionCached::check() const {
    PT_CHECK(heads > 0 && kv_heads > 0 && heads % kv_heads == 0 && y_NQ.shape.rank() == 2 &&
                 y_NQ.dim(1) % heads == 0 && cache_TK.shape.rank() == 2,
             "{}: y is {}, the cache {}, {} heads, {} key-value heads", kName, y_NQ.shape.text(),
             cache_TK.shape.text(), heads, kv_heads);
    PT_CHECK(position >= 0 && position + y_NQ.dim(0) <= cache_TK.dim(0),
             "{}: {} rows from position {} of a cache of {}", kName, y_NQ.dim(0), position,
             cache_TK.dim(0));
    const int64_t width = head_width();
    check_tensor(kName, "qkv_NP", qkv_NP, {y_NQ.dim(0), (heads + 2 * kv_heads) * width},
                 y_NQ.dtype);
    check_tensor(kName, "cache_TK", cache_TK, {cache_TK.dim(0), 2 * kv_heads * width}, y_NQ.dtype);
}

}  // namespace polytrain
