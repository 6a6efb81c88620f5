// y = a_0 + sum_{i=1..r} a_i s^i, s = softsign(x) = x / (1 + |x|).
// dy/dx = (sum_i i a_i s^(i-1)) / (1 + |x|)^2;  dy/da_i = s^i.
struct PolySoftsign : Pointwise, PolynomialCoefficients {
    using PolynomialCoefficients::coefficients, PolynomialCoefficients::initial;
    static constexpr char kName[] = "polysoftsign";
    static constexpr int kMinOrder = 1, kMaxOrder = 4;

    template <class V>
    static VALUE_FN V value(V x, const Coefficients<V>& a) {
        const V s = softsign(x);
        V y = a[a.order];
        for (int i = a.order - 1; i >= 0; --i) y = y * s + a[i];
        return y;
    }
    template <class V>
    static VALUE_FN V d_input(V x, const Coefficients<V>& a) {
        const V s = softsign(x), ds = V(1.0) / one_plus_size(x);
        V dy = V(float(a.order)) * a[a.order];
        for (int i = a.order - 1; i >= 1; --i) dy = dy * s + V(float(i)) * a[i];
        return dy * ds * ds;
    }
    template <class V>
    static VALUE_FN V d_coefficient(int k, V x, const Coefficients<V>&) {
        const V s = softsign(x);
        V power = V(1.0);
        for (int i = 0; i < k; ++i) power = power * s;
        return power;
    }

  private:
    template <class V>
    static VALUE_FN V one_plus_size(V x) {
        return V(1.0) + max_of(x, V(0.0) - x);
    }
    template <class V>
    static VALUE_FN V softsign(V x) {
        return x / one_plus_size(x);
    }
};
