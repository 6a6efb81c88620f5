// gelu(x) = x Phi(x), Phi the standard normal distribution; the exact form, not the tanh one
// (Hendrycks and Gimpel, "Gaussian error linear units", 2016). Phi(x) = erfc(-x / sqrt 2) / 2 keeps
// its relative accuracy in the left tail.
struct Gelu : Pointwise {
    static constexpr char kName[] = "gelu";
    static constexpr double kSqrtHalf = 0.70710678118654752440;
    static constexpr double kInvSqrt2Pi = 0.39894228040143267794;

    template <class V>
    static VALUE_FN V value(V x, const Coefficients<V>&) {
        return x * V(0.5) * erfc_of(x * V(-kSqrtHalf));
    }
    // Phi(x) + x phi(x).
    template <class V>
    static VALUE_FN V d_input(V x, const Coefficients<V>&) {
        return V(0.5) * erfc_of(x * V(-kSqrtHalf)) + x * V(kInvSqrt2Pi) * exp_of(x * x * V(-0.5));
    }
};
