// PolyPReLU (PolyCom, type I): y = sum_{i=0..r} a_i u^i, u = max(x, 0) + p min(x, 0). Its learned
// numbers are a_0 ... a_r and then the slope p, 0.25 at first.
struct PolyPRelu : Pointwise, PolynomialCoefficients {
    using PolynomialCoefficients::kMinOrder, PolynomialCoefficients::kMaxOrder;
    static constexpr char kName[] = "polyprelu";
    static int coefficients(int order) { return order + 2; }
    static double initial(int k, int order) {
        return k == order + 1 ? 0.25 : PolynomialCoefficients::initial(k, order);
    }

    template <class V>
    static VALUE_FN V value(V x, const Coefficients<V>& a) {
        const V u = prelu(x, a);
        V y = a[a.order];
        for (int i = a.order - 1; i >= 0; --i) y = y * u + a[i];
        return y;
    }
    template <class V>
    static VALUE_FN V d_input(V x, const Coefficients<V>& a) {
        return d_polynomial(x, a) * if_positive(x, V(1.0), a[a.order + 1]);
    }
    template <class V>
    static VALUE_FN V d_coefficient(int k, V x, const Coefficients<V>& a) {
        if (k == a.order + 1) return d_polynomial(x, a) * if_positive(x, V(0.0), x);
        const V u = prelu(x, a);
        V power = V(1.0);
        for (int i = 0; i < k; ++i) power = power * u;
        return power;
    }

  private:
    template <class V>
    static VALUE_FN V prelu(V x, const Coefficients<V>& a) {
        return if_positive(x, x, a[a.order + 1] * x);
    }
    // sum_i i a_i u^(i-1).
    template <class V>
    static VALUE_FN V d_polynomial(V x, const Coefficients<V>& a) {
        const V u = prelu(x, a);
        V dy = V(float(a.order)) * a[a.order];
        for (int i = a.order - 1; i >= 1; --i) dy = dy * u + V(float(i)) * a[i];
        return dy;
    }
};
