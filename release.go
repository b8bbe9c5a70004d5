package eventfold

// ModuleVersion is the version of this module, as it is released: that of the driver and of the
// command line.
const ModuleVersion = "v0.1.0"
