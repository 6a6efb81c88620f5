#include "ops/rotary.hpp"

namespace polytrain {

void RotaryTable::check() const {
    PT_CHECK(table_TD.shape.rank() == 2 && table_TD.dim(1) % 2 == 0, "{}: table is {}", kName,
             table_TD.shape.text());
    PT_CHECK(accumulator_of(table_TD.dtype) == table_TD.dtype, "{}: table is {}", kName,
             name_of(table_TD.dtype));
}

void RotaryApply::check() const {
    PT_CHECK(table_TD.shape.rank() == 2 && x_NP.shape.rank() == 2 && table_TD.dim(1) % 2 == 0 &&
                 table_TD.dim(1) > 0 && x_NP.dim(1) % table_TD.dim(1) == 0 &&
                 rotated * table_TD.dim(1) <= x_NP.dim(1) && first >= 0 &&
                 (table_TD.dim(0) > 0 || x_NP.dim(0) == 0),
             "{}: table is {}, x is {}, {} heads rotated", kName, table_TD.shape.text(),
             x_NP.shape.text(), rotated);
    check_tensor(kName, "table_TD", table_TD, table_TD.shape, accumulator_of(x_NP.dtype));
}

}  // namespace polytrain
