// PolyReLU (PolyCom, type I): y = a_0 + sum_{i=1..r} a_i u^i, u = max(x, 0).
// dy/dx = [x > 0] sum_i i a_i u^(i-1);  dy/da_i = u^i, also where x <= 0 for i = 0.
struct PolyRelu : Pointwise, PolynomialCoefficients {
    using PolynomialCoefficients::coefficients, PolynomialCoefficients::initial;
    using PolynomialCoefficients::kMinOrder, PolynomialCoefficients::kMaxOrder;
    static constexpr char kName[] = "polyrelu";

    template <class V>
    static VALUE_FN V value(V x, const Coefficients<V>& a) {
        const V u = max_of(x, V(0.0));
        V y = a[a.order];
        for (int i = a.order - 1; i >= 0; --i) y = y * u + a[i];
        return y;
    }
    template <class V>
    static VALUE_FN V d_input(V x, const Coefficients<V>& a) {
        const V u = max_of(x, V(0.0));
        V dy = V(float(a.order)) * a[a.order];
        for (int i = a.order - 1; i >= 1; --i) dy = dy * u + V(float(i)) * a[i];
        return if_positive(x, dy, V(0.0));
    }
    template <class V>
    static VALUE_FN V d_coefficient(int k, V x, const Coefficients<V>&) {
        const V u = max_of(x, V(0.0));
        V power = V(1.0);
        for (int i = 0; i < k; ++i) power = power * u;
        return power;
    }
};
