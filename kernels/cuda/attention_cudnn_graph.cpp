#include "kernels/cuda/attention_cudnn_graph.hpp"

namespace polytrain::cuda {
namespace {

using Dims = CudnnGraph::Dims;
using Node = CudnnGraph::Node;
using Kind = CudnnGraph::Kind;

// A graph with the tensors that both directions have.
class Builder {
  public:
    explicit Builder(const AttentionShape& shape) : s_(shape) {}
    CudnnGraph& graph() { return graph_; }

    // Heads in rows of `row` elements. Transposed: the same memory as [batch, heads, width, time].
    Node heads(AttentionTensor id, int64_t count, int64_t row) {
        return graph_.tensor(id, Kind::kMemory, CUDNN_DATA_BFLOAT16,
                             {s_.batch, count, s_.time, s_.head_width},
                             {s_.time * row, s_.head_width, row, 1});
    }
    Node heads_transposed(AttentionTensor id, int64_t count, int64_t row) {
        return graph_.tensor(id, Kind::kMemory, CUDNN_DATA_BFLOAT16,
                             {s_.batch, count, s_.head_width, s_.time},
                             {s_.time * row, s_.head_width, 1, row});
    }
    Node query_heads(AttentionTensor id) { return heads(id, s_.heads, s_.packed()); }
    Node key_heads(AttentionTensor id) { return heads(id, s_.kv_heads, s_.packed()); }
    Node key_heads_transposed(AttentionTensor id) {
        return heads_transposed(id, s_.kv_heads, s_.packed());
    }
    // Keys or values as they were before heads_transposed(), not in memory.
    Node virtual_keys() {
        return graph_.tensor(0, Kind::kVirtual, CUDNN_DATA_FLOAT,
                             {s_.batch, s_.kv_heads, s_.time, s_.head_width},
                             {s_.time * s_.packed(), s_.head_width, s_.packed(), 1});
    }
    Node output_heads(AttentionTensor id) { return heads(id, s_.heads, s_.width()); }
    // One number for each query and head, as lse_NH has them. (That kernels of sm_80, 90 and 100
    // go by these strides was seen in the machine code that cuDNN 9.19 makes.)
    Node lse() {
        return row_values(kLse, Kind::kMemory, {s_.time * s_.row_heads, 1, s_.row_heads, 1});
    }
    Node row_values(int64_t id = 0, Kind kind = Kind::kVirtual) {
        return row_values(id, kind, {s_.heads * s_.time, s_.time, 1, 1});
    }
    Node scores(cudnnDataType_t type = CUDNN_DATA_FLOAT) {
        return graph_.tensor(0, Kind::kVirtual, type, {s_.batch, s_.heads, s_.time, s_.time},
                             {s_.heads * s_.time * s_.time, s_.time * s_.time, s_.time, 1});
    }
    Node scores_transposed() {
        return graph_.tensor(0, Kind::kVirtual, CUDNN_DATA_BFLOAT16,
                             {s_.batch, s_.heads, s_.time, s_.time},
                             {s_.heads * s_.time * s_.time, s_.time * s_.time, 1, s_.time});
    }
    // Virtual, of query heads, contiguous.
    Node contiguous_heads(cudnnDataType_t type) {
        return graph_.tensor(
            0, Kind::kVirtual, type, {s_.batch, s_.heads, s_.time, s_.head_width},
            {s_.heads * s_.time * s_.head_width, s_.time * s_.head_width, s_.head_width, 1});
    }
    Node number(AttentionTensor id) {
        return graph_.tensor(id, Kind::kByValue, CUDNN_DATA_FLOAT, {1, 1, 1, 1}, {1, 1, 1, 1});
    }

    Node pointwise(cudnnPointwiseMode_t mode, Node x, Node b) {
        const Node y = scores();
        graph_.pointwise(mode, x, b, y);
        return y;
    }
    Node exp(Node x) {
        const Node y = scores();
        graph_.pointwise(CUDNN_POINTWISE_EXP, x, y);
        return y;
    }
    Node product(Node a, Node b_transposed) {
        const Node y = scores();
        graph_.matmul(a, b_transposed, y);
        return y;
    }
    // Where the key's position is after the query's: kMasked.
    Node causal(Node x) {
        const Node row = scores(CUDNN_DATA_INT32), column = scores(CUDNN_DATA_INT32);
        const Node visible = scores(CUDNN_DATA_BOOLEAN), y = scores();
        graph_.index(x, 2, row);
        graph_.index(x, 3, column);
        graph_.pointwise(CUDNN_POINTWISE_CMP_GE, row, column, visible, CUDNN_DATA_BOOLEAN);
        graph_.select(x, number(kMasked), visible, y);
        return y;
    }
    Node reduce_rows(cudnnReduceTensorOp_t how, Node x) {
        const Node y = row_values();
        graph_.reduce(how, x, y);
        return y;
    }
    // c = x^T b, and, where several query heads share a key head, summed over them.
    void transposed_product(Node x, Node b, Node c) {
        const Node transposed = scores_transposed();
        graph_.reshape(x, transposed);
        if (s_.heads == s_.kv_heads) return graph_.matmul(transposed, b, c);
        const Node per_query_head = contiguous_heads(CUDNN_DATA_BFLOAT16);
        graph_.matmul(transposed, b, per_query_head);
        graph_.reduce(CUDNN_REDUCE_TENSOR_ADD, per_query_head, c);
    }

  private:
    Node row_values(int64_t id, Kind kind, const Dims& strides) {
        return graph_.tensor(id, kind, CUDNN_DATA_FLOAT, {s_.batch, s_.heads, s_.time, 1}, strides);
    }

    AttentionShape s_;
    CudnnGraph graph_;
};

}  // namespace

CudnnGraph attention_forward_graph(const AttentionShape& shape) {
    Builder b(shape);
    CudnnGraph& graph = b.graph();
    const Node q = b.query_heads(kQ), k_transposed = b.key_heads_transposed(kK);
    const Node v = b.key_heads(kV), y = b.output_heads(kY), lse = b.lse();

    // s = q k^T / sqrt(D), masked; m = max_j s
    const Node scaled =
        b.pointwise(CUDNN_POINTWISE_MUL, b.product(q, k_transposed), b.number(kScale));
    const Node s = b.causal(scaled);
    const Node m = b.reduce_rows(CUDNN_REDUCE_TENSOR_MAX, s);
    // e = exp(s - m); z = sum_j e; lse = m + log z; y = (e / z) v
    const Node e = b.exp(b.pointwise(CUDNN_POINTWISE_SUB, s, m));
    const Node z = b.reduce_rows(CUDNN_REDUCE_TENSOR_ADD, e), log_z = b.row_values();
    graph.pointwise(CUDNN_POINTWISE_LOG, z, log_z);
    graph.pointwise(CUDNN_POINTWISE_ADD, m, log_z, lse);
    const Node p = b.scores(CUDNN_DATA_BFLOAT16);
    graph.pointwise(CUDNN_POINTWISE_DIV, e, z, p);
    graph.matmul(p, v, y);
    return std::move(graph);
}

CudnnGraph attention_backward_graph(const AttentionShape& shape) {
    Builder b(shape);
    CudnnGraph& graph = b.graph();
    const Node q = b.query_heads(kQ), k_transposed = b.key_heads_transposed(kK);
    const Node v_transposed = b.key_heads_transposed(kV);
    const Node y = b.output_heads(kY), dy = b.output_heads(kDy), lse = b.lse();
    const Node dq = b.query_heads(kDq), dk = b.key_heads(kDk), dv = b.key_heads(kDv);
    const Node scale = b.number(kScale);

    // delta_i = sum_d dy_id y_id. cuDNN's pattern has a factor here, of dropout; ours is 1.
    const Node dy_y = b.contiguous_heads(CUDNN_DATA_FLOAT);
    graph.pointwise(CUDNN_POINTWISE_MUL, dy, y, dy_y);
    const Node delta = b.row_values(kDelta, Kind::kMemory);
    graph.pointwise(CUDNN_POINTWISE_MUL, b.reduce_rows(CUDNN_REDUCE_TENSOR_ADD, dy_y),
                    b.number(kOne), delta);

    // p = exp(q k^T / sqrt(D) - lse), masked; dv = p^T dy
    const Node scaled = b.pointwise(CUDNN_POINTWISE_MUL, b.product(q, k_transposed), scale);
    const Node p = b.exp(b.causal(b.pointwise(CUDNN_POINTWISE_SUB, scaled, lse)));
    b.transposed_product(p, dy, dv);

    // ds = p (dy v^T - delta) / sqrt(D); dk = ds^T q; dq = ds k
    const Node dp = b.pointwise(CUDNN_POINTWISE_SUB, b.product(dy, v_transposed), delta);
    const Node ds =
        b.pointwise(CUDNN_POINTWISE_MUL, b.pointwise(CUDNN_POINTWISE_MUL, dp, p), scale);
    b.transposed_product(ds, q, dk);
    const Node k = b.virtual_keys();
    graph.reshape(k_transposed, k);
    graph.matmul(ds, k, dq);
    return std::move(graph);
}

}  // namespace polytrain::cuda
