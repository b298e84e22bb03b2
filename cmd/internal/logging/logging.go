// Package logging makes the logger of a program: structured, logr over zap, for klog too.
package logging

import (
	"io"

	"github.com/go-logr/logr"
	"github.com/go-logr/zapr"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"k8s.io/klog/v2"
)

// verbosity is the logr verbosity that each log level shows: 2 tells of decisions, 4 of every step.
var verbosity = map[string]int{"error": -int(zapcore.ErrorLevel), "info": 0, "debug": 2, "trace": 4}

// Formats of log lines.
const (
	JSON    = "json"
	Console = "console"
)

// Levels and Formats are what New knows.
var (
	Levels  = []string{"error", "info", "debug", "trace"}
	Formats = []string{JSON, Console}
)

// New returns a logger of one of the levels and formats that writes to out, and makes klog, which client-go uses, log there too.
func New(level, format string, out io.Writer) logr.Logger {
	config := zap.NewProductionEncoderConfig()
	config.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	config.EncodeLevel = encodeLevel
	encoder := zapcore.NewJSONEncoder(config)
	if format == Console {
		encoder = zapcore.NewConsoleEncoder(config)
	}
	// zapr maps verbosity n to the zap level -n.
	least := zapcore.Level(-verbosity[level])
	logger := zapr.NewLogger(zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(out)), least)))
	klog.SetLoggerWithOptions(logger, klog.ContextualLogger(true))
	return logger
}

// encodeLevel calls the verbosities that zap has no names for as the flag does.
func encodeLevel(level zapcore.Level, encoder zapcore.PrimitiveArrayEncoder) {
	switch verbosity := -int(level); {
	case verbosity > 2:
		encoder.AppendString("trace")
	case verbosity > 0:
		encoder.AppendString("debug")
	default:
		encoder.AppendString(level.String())
	}
}
