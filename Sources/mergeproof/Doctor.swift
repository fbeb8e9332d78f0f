import ArgumentParser
import Checkpoints
import LinearAlgebra

struct Doctor: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say what this machine offers and what slows mergeproof down on it.")

    @OptionGroup var display: OutputOptions

    func run() throws {
        let pin = BLASInfo.pin
        if display.json {
            let report = JSONValue.object([
                "version": .string(Mergeproof.version),
                "openblas": .string(BLASInfo.version),
                "core_type": .string(BLASInfo.coreType),
                "pin": pin.map(JSONValue.string) ?? .null,
                "pin_below_cpu": .bool(BLASInfo.pinLiesBelowCPU),
                "cpu_vector_bits": .int(BLASInfo.cpuVectorBits),
                "cores": .int(WorkerThreads.availableCores),
            ])
            print(report.serialized(indented: true))
        } else {
            print(
                """
                mergeproof  \(Mergeproof.version)
                OpenBLAS    \(BLASInfo.version)
                kernels     \(BLASInfo.coreType)\(pin.map { " (pinned by OPENBLAS_CORETYPE=\($0))" } ?? "")
                processor   \(WorkerThreads.availableCores) cores, \(BLASInfo.cpuVectorBits)-bit vectors
                """)
        }
        if BLASInfo.pinLiesBelowCPU {
            warn(
                "OPENBLAS_CORETYPE=\(pin ?? "") pins kernels below what this processor can do; unset it for up to twice the speed"
            )
        }
    }
}
