// gelu_tanh(x) = x (1 + tanh u) / 2, u = sqrt(2/pi) (x + 0.044715 x^3): GPT-2's approximation of
// gelu (Hendrycks and Gimpel, 2016). Since (1 + tanh u) / 2 = sigmoid(2u) it is x s, s =
// sigmoid(2u).
struct GeluTanh : Pointwise {
    static constexpr char kName[] = "gelu_tanh";
    static constexpr double kTwoRoot = 1.5957691216057307;  // 2 sqrt(2/pi)
    static constexpr double kCube = 0.044715;

    template <class V>
    static VALUE_FN V value(V x, const Coefficients<V>&) {
        return x * sigmoid(x);
    }
    // s + x s (1 - s) d(2u)/dx.
    template <class V>
    static VALUE_FN V d_input(V x, const Coefficients<V>&) {
        const V s = sigmoid(x);
        return s + x * s * (V(1.0) - s) * (V(kTwoRoot) + V(3 * kTwoRoot * kCube) * x * x);
    }

  private:
    template <class V>
    static VALUE_FN V sigmoid(V x) {
        return V(1.0) / (V(1.0) + exp_of(V(-kTwoRoot) * x * (V(1.0) + V(kCube) * x * x)));
    }
};
