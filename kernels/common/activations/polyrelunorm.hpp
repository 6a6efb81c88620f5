// PolyReLUNorm (PolyCom, section 4.3): y = a_0 + sum_{i=1..r} a_i N(u^i), u = max(x, 0), N the RMS
// normalisation over the row.
struct PolyReluNorm : RowPolynomial {
    static constexpr char kName[] = "polyrelunorm";

    template <class V>
    static VALUE_FN V base(V x) {
        return max_of(x, V(0.0));
    }
    template <class V>
    static VALUE_FN V d_base(V x) {
        return if_positive(x, V(1.0), V(0.0));
    }
};
