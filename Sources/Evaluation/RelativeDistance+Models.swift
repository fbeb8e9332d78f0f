import Architectures
import ForwardPass

extension RelativeDistance {
    /// Between all outputs of two models in f32.
    /// - Parameter sinks: what takes activations of the second.
    package init(
        from before: Model, to after: Model, on examples: [ModelInputs],
        sinks: [ActivationPoint: any ActivationSink] = [:]
    ) throws {
        self.init()
        for batch in before.architecture.batches(examples) {
            let inputs = ModelInputs(joining: Array(examples[batch]))
            let (a, b) = (try before.single(inputs).values, try after.single(inputs, sinks: sinks).values)
            for (x, y) in zip(a, b) {
                for (x, y) in zip(x.elements, y.elements) { add(Double(x), Double(y)) }
            }
        }
    }
}
