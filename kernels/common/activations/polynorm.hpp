// PolyNorm (PolyCom, type II): y = a_0 + sum_{i=1..r} a_i N(x^i), N the RMS normalisation over the
// row. The generic row kernel does the sums and the closed-form gradient.
struct PolyNorm : RowPolynomial {
    static constexpr char kName[] = "polynorm";

    template <class V>
    static VALUE_FN V base(V x) {
        return x;
    }
    template <class V>
    static VALUE_FN V d_base(V) {
        return V(1.0);
    }
};
