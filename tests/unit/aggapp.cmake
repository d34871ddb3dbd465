if(NOT HEADRACE_AGGREGATOR)
  return() # a build for a gateway has none of these rooms
endif()

hr_test(test_aggregator_config LABEL unit SOURCES unit/test_aggregator_config.c DEPENDS agg_config hr_test_support)
hr_test(test_topic_plan LABEL unit SOURCES unit/test_topic_plan.c support/temp_folder.c
        DEPENDS agg_config agg_sink_kafka agg_normalize hr_test_support)
hr_test(test_window LABEL unit SOURCES unit/test_window.c ${CMAKE_SOURCE_DIR}/aggregator/app/window.c
        DEPENDS agg_http hr_wire hr_base hr_test_support)
hr_test(test_decision_body LABEL unit SOURCES unit/test_decision_body.c ${CMAKE_SOURCE_DIR}/aggregator/app/decision_body.c
        DEPENDS agg_http_json agg_core hr_wire hr_base hr_test_support)

set(app ${CMAKE_SOURCE_DIR}/aggregator/app)
hr_test(test_admission LABEL unit tsan
        SOURCES unit/test_admission.c ${app}/admission.c ${app}/decision.c ${app}/inbox.c ${app}/intake.c ${app}/log.c
                ${app}/room.c ${app}/tenants.c ${app}/time.c
        DEPENDS hr_test_core agg_verify hr_wire hr_base hr_test_support Threads::Threads)
