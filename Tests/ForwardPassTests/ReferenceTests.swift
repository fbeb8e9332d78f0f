import Checkpoints
import Evaluation
import ForwardPass
import LinearAlgebra
import TestSupport
import Testing

/// Our forward pass against what Hugging Face transformers computed, for a model of every family.
@Suite struct ReferenceTests {
    @Test(arguments: Fixtures.recorded)
    func outputsAreThoseOfTransformers(name: String) throws {
        let reference = try RecordedReference(name)
        let model = try Model(Checkpoint(opening: Fixtures.path(name)), threads: 2)
        let single = try model.single(reference.inputs).values.flatMap { $0.elements.map(Double.init) }
        let double = try model.double(reference.inputs).values.flatMap(\.elements)
        let errors = (
            single: relativeError(single, reference.single.flatMap(\.self)),
            double: relativeError(double, reference.double.flatMap(\.self)),
            mixed: relativeError(double, reference.single.flatMap(\.self))
        )
        #expect(errors.single < 2e-5, "f32 of \(name): \(errors)")
        // transformers writes BLOOM's GELU with sqrt(2/π) cut to eight digits.
        #expect(errors.double < (name.hasPrefix("bloom") ? 1e-9 : 1e-12), "f64 of \(name): \(errors)")
        #expect(errors.mixed < 5e-6, "f64 of \(name) against f32: \(errors)")
    }
}
