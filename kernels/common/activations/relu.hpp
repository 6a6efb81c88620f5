// relu(x) = max(x, 0); its derivative at 0 is 0.
struct Relu : Pointwise {
    static constexpr char kName[] = "relu";

    template <class V>
    static VALUE_FN V value(V x, const Coefficients<V>&) {
        return max_of(x, V(0.0));
    }
    template <class V>
    static VALUE_FN V d_input(V x, const Coefficients<V>&) {
        return if_positive(x, V(1.0), V(0.0));
    }
};
