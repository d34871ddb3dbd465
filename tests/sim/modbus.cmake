hr_test(test_plant LABEL sim SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_plant.c DEPENDS fw_tap_plant hr_edge hr_test_support)
hr_test(test_station LABEL sim
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_station.c ${CMAKE_SOURCE_DIR}/tools/cli/sim_plant.c
                ${CMAKE_SOURCE_DIR}/tools/cli/modbus_answer.c
        DEPENDS fw_tap_station hr_edge hr_test_support)
target_link_libraries(test_station PRIVATE m)
hr_test(test_plant_forms LABEL sim SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_plant_forms.c DEPENDS fw_tap_plant hr_edge hr_test_support)
