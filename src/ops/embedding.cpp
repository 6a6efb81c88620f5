#include "ops/embedding.hpp"

namespace polytrain {

void EmbeddingForward::check() const {
    PT_CHECK(ids_N.shape.rank() == 1 && table_VC.shape.rank() == 2, "{}: ids are {}, table is {}",
             kName, ids_N.shape.text(), table_VC.shape.text());
    check_tensor(kName, "ids_N", ids_N, {ids_N.dim(0)}, DType::kI32);
    check_tensor(kName, "y_NC", y_NC, {ids_N.dim(0), table_VC.dim(1)}, table_VC.dtype);
}

void EmbeddingBackward::check() const {
    PT_CHECK(dy_NC.shape.rank() == 2 && dtable_VC.shape.rank() == 2, "{}: dy is {}, dtable is {}",
             kName, dy_NC.shape.text(), dtable_VC.shape.text());
    check_tensor(kName, "ids_N", ids_N, {dy_NC.dim(0)}, DType::kI32);
    check_tensor(kName, "dtable_VC", dtable_VC, {dtable_VC.dim(0), dy_NC.dim(1)},
                 accumulator_of(dy_NC.dtype));
}

}  // namespace polytrain
