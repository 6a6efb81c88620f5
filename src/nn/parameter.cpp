#include "nn/parameter.hpp"

namespace polytrain {

std::string_view name_of(DecayClass decay) {
    switch (decay) {
        case DecayClass::kMatrix:
            return "matrix";
        case DecayClass::kEmbedding:
            return "embedding";
        case DecayClass::kGain:
            return "gain";
        case DecayClass::kCoefficient:
            return "coefficient";
    }
    return "?";
}

}  // namespace polytrain
