// silu(x) = x sigmoid(x), also called swish.
struct Silu : Pointwise {
    static constexpr char kName[] = "silu";

    template <class V>
    static VALUE_FN V value(V x, const Coefficients<V>&) {
        return x / (V(1.0) + exp_of(V(0.0) - x));
    }
    // s (1 + x (1 - s)), s = sigmoid(x).
    template <class V>
    static VALUE_FN V d_input(V x, const Coefficients<V>&) {
        const V s = V(1.0) / (V(1.0) + exp_of(V(0.0) - x));
        return s * (V(1.0) + x * (V(1.0) - s));
    }
};
