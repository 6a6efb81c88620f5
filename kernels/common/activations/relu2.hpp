// relu2(x) = max(x, 0)^2, squared ReLU (So et al., "Primer", 2021).
struct Relu2 : Pointwise {
    static constexpr char kName[] = "relu2";

    template <class V>
    static VALUE_FN V value(V x, const Coefficients<V>&) {
        const V u = max_of(x, V(0.0));
        return u * u;
    }
    template <class V>
    static VALUE_FN V d_input(V x, const Coefficients<V>&) {
        return V(2.0) * max_of(x, V(0.0));
    }
};
