// The activations that PolyTrain has. To add one: write a header like relu.hpp or polynorm.hpp in
// this folder and add its word to ActivationList (docs/add_activation.md).
//
// No include guard and no namespace: this text is included inside a namespace by each kernel file
// that needs it, once per instruction set on the CPU. The includer has ops/activation.hpp, has
// defined VALUE_FN (how value functions are declared) and, over every value type V it will use:
// construction from double and float, + - * /, max_of, exp_of, erfc_of and if_positive(x, a, b) =
// x > 0 ? a : b. V is a scalar in the reference kernels and on CUDA, a vector of lanes on the CPU.
// Whole numbers known at run time only become V by float, V(float(i)): from double it would be f64
// arithmetic on a device.

inline constexpr int kMaxActivationOrder = 8;
inline constexpr int kMaxCoefficients = 16;

// The learned numbers of an activation, each spread over V.
template <class V>
struct Coefficients {
    V values[kMaxCoefficients];
    int order;
    VALUE_FN const V& operator[](int k) const { return values[k]; }
};

// What an activation says of itself; these are the answers of one that has no coefficients.
struct Pointwise {
    static constexpr bool kIsRowPolynomial = false;
    static constexpr int kMinOrder = 0, kMaxOrder = 0;
    static int coefficients(int /*order*/) { return 0; }
    static double initial(int /*k*/, int /*order*/) { return 0; }
    template <class V>
    static VALUE_FN V d_coefficient(int /*k*/, V /*x*/, const Coefficients<V>&) {
        return V(0.0);
    }
};

// a_0 ... a_r with a_0 = 0 and the others 1/r, as the PolyCom paper starts them.
struct PolynomialCoefficients {
    static constexpr int kMinOrder = 1, kMaxOrder = kMaxActivationOrder;
    static int coefficients(int order) { return order + 1; }
    static double initial(int k, int order) { return k == 0 ? 0.0 : 1.0 / order; }
};

// y_j = a_0 + sum_{i=1..r} a_i N(base(x)^i)_j: needs base(x) and its derivative d_base(x).
struct RowPolynomial : PolynomialCoefficients {
    static constexpr bool kIsRowPolynomial = true;
};

#include "activation_headers.inc"

template <class... Activations>
struct TypeList {};

using ActivationList =
    TypeList<Relu, Relu2, Gelu, GeluTanh, Silu, PolyRelu, PolyPRelu, PolyNorm, PolyReluNorm>;

// Calls f(Activation{}) for the activation at `index` of the list.
template <class F, class... Activations>
void with_activation(int index, TypeList<Activations...>, F&& f) {
    int i = 0;
    (void)((i++ == index ? (f(Activations{}), true) : false) || ...);
}

// Calls f.template operator()<kOrder>(): the orders that the paper compares are compiled, so that
// their loops unroll and their coefficients stay in registers; 0 is for all others.
template <class F>
void with_order(int order, const F& f) {
    switch (order) {
        case 2:
            return f.template operator()<2>();
        case 3:
            return f.template operator()<3>();
        case 4:
            return f.template operator()<4>();
        default:
            return f.template operator()<0>();
    }
}

// Tells the run what there is.
template <class... Activations>
void fill_catalog(ActivationCatalog& catalog, TypeList<Activations...>) {
    int index = 0;
    (catalog.add({.name = Activations::kName,
                  .family = Activations::kIsRowPolynomial ? ActivationFamily::kRowPolynomial
                                                          : ActivationFamily::kPointwise,
                  .index = index++,
                  .min_order = Activations::kMinOrder,
                  .max_order = Activations::kMaxOrder,
                  .coefficients = &Activations::coefficients,
                  .initial = &Activations::initial}),
     ...);
}
